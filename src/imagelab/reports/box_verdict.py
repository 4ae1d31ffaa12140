# room: detection
"""Judge the run of a detector by rule: its loss tells whether it learns, its AP how well it finds boxes.

A detector's loss has no chance level and never comes near 0, and its validation loss may rise while AP still
does, since boxes get more confident. So AP decides, and losses only say why.
"""

import math

import numpy as np

from imagelab.reports.curves import Curves, smoothed
from imagelab.reports.states import OF_LOSSES, State, Verdict, first
from imagelab.reports.verdict import FEW, GAP, LATE, LOST, NOISY, STILL, Facts, verdict

NOTHING = 0.02  # AP50 below which next to nothing is found
LEARNT = 0.1  # share of the first loss that must go before anything counts as learnt
WEAK = 0.4  # AP50 below which a settled run leaves much to be found
BOX_MEANINGS = {
    "first": "training loss of the first steps",
    "ap": "AP of the last epoch",
    "ap_best": "highest AP",
    "ap_best_epoch": "its epoch",
    "ap_gain": "rise of AP in the last fifth of the run, as a fraction of its value",
    "ap_noise": "standard deviation of AP around its trend in late epochs",
    "ap50": "AP50 of the last epoch",
    "train_then": "training loss of the epoch with the highest AP",
}
HOW = f"{OF_LOSSES} AP is smoothed the same way; AP50 is that of the last epoch."
OF_LOSS = ("diverged", "no validation", "LR too high")  # states that the losses alone tell


def box_verdict(curves: Curves, facts: Facts) -> Verdict:
    """Judge the curves of a detector, finished or not."""
    judged = verdict(curves, facts)
    numbers = judged.numbers | _of_ap(curves)
    numbers["first"] = numbers.pop("chance", math.nan)
    shown = {name: round(value, 4) for name, value in numbers.items() if math.isfinite(value)}
    if judged.state in OF_LOSS:
        return Verdict(
            state=judged.state, numbers=shown, why=judged.why.replace("chance level", "first loss"), how=HOW
        )
    state, why = _state(numbers)
    return Verdict(state=state, numbers=shown, why=why, how=HOW)


def _of_ap(curves: Curves) -> dict[str, float]:
    """The numbers of AP, as far as it was measured."""
    ap, ap50 = curves.of_val("ap"), curves.of_val("ap50")
    known = np.isfinite(ap) & np.isfinite(ap50)
    if not known.any():
        return {}
    ap, ap50, train, epochs = (part[known] for part in (ap, ap50, curves.train, curves.epochs))
    smooth = smoothed(ap)
    best = int(smooth.argmax())
    last = max(0, len(ap) - 1 - max(1, round(len(ap) / 5)))
    bends = np.abs(np.diff(ap[-max(5, len(ap) // 3) :], 2)) / math.sqrt(6)
    return {
        "ap": float(smooth[-1]),
        "ap_best": float(smooth[best]),
        "ap_best_epoch": float(epochs[best]),
        "ap_gain": float((smooth[-1] - smooth[last]) / max(smooth[-1], 1e-9)),
        "ap_noise": float(np.median(bends) / 0.6745) if len(bends) else 0.0,
        "ap50": float(ap50[-1]),
        "train_then": float(train[best]),
    }


def _state(e: dict[str, float]) -> tuple[State, str]:
    if e["epochs"] < FEW or "ap" not in e:
        return "too early to say", f"{e['epochs']:.0f} epochs are too few to see a trend in AP."
    return first(look(e) for look in (_nothing, _fell, _rises, _memorised, _weak)) or (
        "healthy",
        f"AP has settled at {e['ap']:.3g} (highest {e['ap_best']:.3g}, epoch {e['ap_best_epoch']:.0f} of "
        f"{e['epochs']:.0f}), AP50 at {e['ap50']:.3g}; training loss {e['train_end']:.3g}, validation loss "
        f"{e['val_end']:.3g}.",
    )


def _nothing(e: dict[str, float]) -> tuple[State, str] | None:
    if e["ap50"] >= NOTHING or e["ap_best"] >= NOTHING:
        return None
    went = f"from {e['first']:.3g} to {e['train_end']:.3g}"
    if e["train_end"] > (1 - LEARNT) * e["first"]:
        return "not learning", f"AP50 is {e['ap50']:.3g}, and the training loss hardly fell, {went}."
    if e["train_gain"] > STILL:
        return "train longer", f"AP50 is only {e['ap50']:.3g}, but training loss is still falling, {went}."
    return "not generalising", (
        f"The training loss fell {went}, and AP50 on val is {e['ap50']:.3g}: boxes, classes or preprocessing "
        "of the two differ."
    )


def _fell(e: dict[str, float]) -> tuple[State, str] | None:
    lost = e["ap_best"] - e["ap"]
    early = e["ap_best_epoch"] < LATE * e["epochs"]
    if not early or lost <= max(LOST, NOISY * e["ap_noise"]) or e["train_end"] >= e["train_then"]:
        return None
    return "overfitting", (
        f"AP was highest ({e['ap_best']:.3g}) in epoch {e['ap_best_epoch']:.0f} of {e['epochs']:.0f} and "
        f"fell to {e['ap']:.3g}, while the training loss went from {e['train_then']:.3g} down to "
        f"{e['train_end']:.3g}."
    )


def _rises(e: dict[str, float]) -> tuple[State, str] | None:
    if e["ap_gain"] <= STILL:
        return None
    return "train longer", (
        f"AP is still rising: the last fifth of the run gave {e['ap_gain']:.0%} of its {e['ap']:.3g} (AP50 "
        f"{e['ap50']:.3g})."
    )


def _memorised(e: dict[str, float]) -> tuple[State, str] | None:
    ratio = e["train_end"] / max(e["val_end"], 1e-12)
    if ratio >= GAP:
        return None
    return "overfitting", (
        f"AP stays at {e['ap']:.3g} and the validation loss at {e['val_end']:.3g} while the training loss "
        f"fell to {e['train_end']:.3g}, {ratio:.0%} of it: the network memorises the training images."
    )


def _weak(e: dict[str, float]) -> tuple[State, str] | None:
    if e["ap50"] >= WEAK:
        return None
    return "underfitting", (
        f"AP50 has settled at {e['ap50']:.3g}, and training loss ({e['train_end']:.3g}) and validation loss "
        f"({e['val_end']:.3g}) are close together."
    )
