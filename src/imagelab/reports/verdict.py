"""Judge a run by its curves: one state, the numbers behind it, and why.

Source: the questions about training curves in Godbole et al., Deep Learning Tuning Playbook,
https://github.com/google-research/tuning_playbook; thresholds from simulated and real runs.
"""

import math
from dataclasses import dataclass, field

from imagelab.reports.curve_numbers import numbers_of
from imagelab.reports.curves import Curves
from imagelab.reports.states import State, Verdict, first

EXPLODED = 2.0  # times the chance-level loss, at the end
BLOWN_UP = 1.3  # times the chance-level loss, in the first epoch: the rate threw the weights far off
CHANCE = 0.97  # fraction of the chance-level loss: above, nothing was learnt
GOOD = 0.3  # fraction of the chance-level loss: below, a flat curve is fine
RISE = 0.1  # rise of the validation loss after its minimum, relative to its decrease
LOST = 0.02  # drop of validation accuracy from its best
NOISY = 3.0  # times the noise: smaller drops may be luck
SLIPPED = 0.003  # drop of training accuracy since validation accuracy was best
FEWER = 0.9  # training errors now over those at that epoch: below, training has improved
GAP = 0.5  # training loss over validation loss: below, much was memorised
CARRIED = 0.4  # decrease of the validation loss over that of the training loss: below, little generalises
LEARNT = 0.85  # fraction of the chance-level loss: below, the training loss has decreased
WIDE_GAP = 0.1  # training loss over validation loss: below, even a small validation loss is a fault
FAIR = 0.15  # fraction of the chance-level loss: that small validation loss
LATE = 0.85  # fraction of the run after which a minimum counts as the end
JITTER = 0.15  # relative difference of neighbouring late epochs
STILL = 0.05  # fraction of the total decrease made in the last fifth: above, it is still decreasing
SLOW = 0.35  # decrease over the whole run, as a fraction of the chance-level loss
STEADY = 0.5  # speed in the last fifth over the mean speed: above, it is not slowing down
FEW = 4  # epochs: with fewer, only clear cases get a verdict


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about the losses besides their values.

    Args:
        entropy: Chance-level loss, such as log(classes); None: estimated by the first values.
        floor: Lowest possible loss, above 0 with label smoothing.
        mixed: Whether training images or labels are blended, so that the training loss has another scale.
        diverged: Whether the run ended because its loss became non-finite.
    """

    entropy: float | None
    floor: float = field(default=0.0)
    mixed: bool = field(default=False)
    diverged: bool = field(default=False)


def verdict(curves: Curves, facts: Facts) -> Verdict:
    """Judge the curves of a run, finished or not."""
    numbers = numbers_of(curves, facts.entropy, facts.floor)
    state, why = _state(numbers, facts)
    shown = {name: round(value, 4) for name, value in numbers.items() if math.isfinite(value)}
    return Verdict(state=state, numbers=shown, why=why)


def _state(e: dict[str, float], facts: Facts) -> tuple[State, str]:
    looks = (_broken, _unseen, _lost, _risen, _restless, _fallen, _apart, _unfinished, _flat)
    return first(look(e, facts) for look in looks) or (
        "healthy",
        f"Training loss {e['train_end']:.3g} and validation loss {e['val_end']:.3g} (lowest "
        f"{e['val_best']:.3g}, epoch {e['val_best_epoch']:.0f} of {e['epochs']:.0f}) came down together "
        "and have settled.",
    )


def _broken(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    if facts.diverged or e["bad"]:
        return "diverged", "The training loss became NaN or infinite."
    if not e["epochs"]:
        return "too early to say", "No epoch has ended yet."
    if e["val_bad"]:
        return "diverged", (
            f"The validation loss became NaN or infinite in epoch {e['epochs'] - e['val_bad'] + 1:.0f} of "
            f"{e['epochs']:.0f}; the training loss ends at {e['train_end']:.3g}."
        )
    chance, end = e["chance"], e["train_end"]
    if end > EXPLODED * chance:
        return "diverged", (
            f"The training loss ends at {end:.3g}, {end / chance:.3g} times the chance level of {chance:.3g}."
        )
    best = e.get("val_best", end)
    if e["train_first"] > BLOWN_UP * chance and best > 0.5 * chance:
        return "LR too high", (
            f"The training loss of the first epoch is {e['train_first']:.3g}, above the chance level "
            f"of {chance:.3g}: the first steps threw the weights far off, and the loss only came back to "
            f"{best:.3g}."
        )
    return None


def _unseen(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    if "val_end" in e:
        return None
    return "no validation", (
        f"The training loss ends at {e['train_end']:.3g}; without a validation loss it is unknown "
        "how much of it is memorised."
    )


def _lost(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    chance = e["chance"]
    end = e["train_end"]
    best = e["val_best"]
    if best <= 0.9 * chance or min(e["val_median"], max(end, best)) <= CHANCE * chance:
        return None
    if end < 0.8 * chance and not facts.mixed:
        return "not generalising", (
            f"The training loss fell to {end:.3g}, but the validation loss never below {best:.3g} (chance "
            f"level: {chance:.3g}): labels, split or preprocessing of the two differ."
        )
    going = min(e["train_gain"], e["val_gain"]) > STILL and e["train_speed"] > STEADY
    slow = going and end < 0.995 * chance
    if e["epochs"] < (FEW if slow else 2):
        return "too early to say", (
            f"After {e['epochs']:.0f} epochs the validation loss is {best:.3g}, near the chance level of "
            f"{chance:.3g}."
        )
    if slow:
        return _slow(e)
    return "not learning", (
        f"Neither the training loss ({end:.3g}) nor the validation loss ({best:.3g} at best) fell below "
        f"the chance level of {chance:.3g}."
    )


def _risen(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    ratio = e["train_end"] / max(e["val_end"], 1e-12)
    risen = e["val_best_at"] < LATE and e["val_rise"] > RISE and e["epochs"] >= FEW
    slipped = e.get("train_accuracy_then", 0.0) - e.get("train_accuracy", 0.0) > SLIPPED
    if slipped and e["val_jitter"] > JITTER:  # training got worse, too: nothing is memorised
        return None
    if risen and (ratio < 0.6 or facts.mixed):
        return "overfitting", (
            f"The validation loss was lowest ({e['val_best']:.3g}) in epoch {e['val_best_epoch']:.0f} of "
            f"{e['epochs']:.0f} and rose to {e['val_end']:.3g}, while the training loss fell to "
            f"{e['train_end']:.3g}."
        )
    return None


def _apart(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    ratio = e["train_end"] / max(e["val_end"], 1e-12)
    limit = next((most for gap, most in ((WIDE_GAP, FAIR), (GAP, GOOD)) if ratio < gap), math.inf)
    fall = e["chance"] - e["train_end"]
    if fall > (1 - LEARNT) * e["chance"] and e["chance"] - e["val_end"] < CARRIED * fall:
        limit = min(limit, GOOD)
    apart = e["val_end"] > limit * e["chance"] and e["val_gain"] < STILL / 2
    share = f"{ratio:.0%}" if ratio >= 0.01 else "less than 1%"
    if apart and e["epochs"] >= FEW and not facts.mixed:
        return "overfitting", (
            f"The validation loss stays at {e['val_end']:.3g} while the training loss fell to "
            f"{e['train_end']:.3g}, {share} of it: the network memorises the training images."
        )
    return None


def _fallen(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    if "val_accuracy" not in e or e["epochs"] < FEW:
        return None
    best = e["val_accuracy_best"]
    end = e["val_accuracy"]
    epoch = e["val_accuracy_best_epoch"]
    before, now = e["train_accuracy_then"], e["train_accuracy"]
    fell = epoch < LATE * e["epochs"] and best - end > max(LOST, NOISY * e["val_accuracy_noise"])
    if fell and 1 - now < FEWER * (1 - before):
        return "overfitting", (
            f"Validation accuracy was highest ({best:.1%}) in epoch {epoch:.0f} of {e['epochs']:.0f} and "
            f"fell to {end:.1%}, while training accuracy rose from {before:.1%} to {now:.1%}."
        )
    return None


def _restless(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    if max(e["train_jitter"], e["val_jitter"]) <= JITTER:
        return None
    return "LR too high", (
        "Late epochs still differ from their neighbours by "
        f"{max(e['train_jitter'], e['val_jitter']):.0%} of the loss (training {e['train_jitter']:.0%}, "
        f"validation {e['val_jitter']:.0%}): the steps are too large to settle."
    )


def _unfinished(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    going = min(e["train_gain"], e["val_gain"]) > STILL
    little = e["train_end"] > (1 - SLOW) * e["chance"] and e["train_speed"] > STEADY
    if going and little and e["epochs"] >= FEW and not facts.mixed:
        return _slow(e)
    if going:
        return "train longer", (
            f"The last fifth of the run still gave {e['train_gain']:.0%} of the total decrease of the "
            f"training loss and {e['val_gain']:.0%} of that of the validation loss (now {e['val_end']:.3g})."
        )
    if e["epochs"] < FEW:
        return "too early to say", f"{e['epochs']:.0f} epochs are too few to see where the curves go."
    return None


def _flat(e: dict[str, float], facts: Facts) -> tuple[State, str] | None:
    bad = e["val_end"] > GOOD * e["chance"]
    poor = bad if facts.mixed else e["train_end"] > GOOD * e["chance"] and e["val_end"] < 1.5 * e["train_end"]
    if not poor:
        return None
    return "underfitting", (
        f"Training loss ({e['train_end']:.3g}) and validation loss ({e['val_end']:.3g}) are close together "
        f"and have stopped falling, at {e['train_end'] / e['chance']:.0%} of the chance level of "
        f"{e['chance']:.3g}."
    )


def _slow(e: dict[str, float]) -> tuple[State, str]:
    made = 1 - e["train_end"] / e["chance"]
    return "LR too low", (
        f"The training loss fell by only {made:.0%} in {e['epochs']:.0f} epochs and is not slowing down "
        f"({e['train_speed']:.1f} times its mean speed in the last fifth): the steps are too small."
    )
