# room: generators
"""Judge the run of a generator by rule: one state, the numbers behind it, and why.

A generator fails in its own ways: the discriminator wins, so that nothing is left to learn; images collapse
to a few; or the discriminator has memorised the training images.

Source: Goodfellow 2016, https://arxiv.org/abs/1701.00160, sections 4 and 5; Arjovsky & Bottou 2017,
https://arxiv.org/abs/1701.04862, section 2. The limits are chosen by hand, far from what a
healthy run on the digits reaches; tests/test_gan_digits.py makes each failure happen. A discriminator that
has memorised comes first, since the generator then repeats what it has memorised.
"""

import numpy as np

from imagelab.reports.curves import Curves
from imagelab.reports.states import State, Verdict, first

LAST = 0.2  # share of the run that is judged
ALIKE = 0.5  # diversity below which images of a class repeat each other
MISSING = 0.2  # coverage of real images below which kinds are missing
FAR = 0.05  # precision below which generated images lie nowhere near real ones
SURE = 4.0  # logits between real and generated images from which the discriminator is sure: 98%
KNOWN = 3.0  # logits between training images and unseen ones above which they count as memorised
FEW = 4  # epochs: with fewer, nothing is said
HOW = "Means over the last fifth of the run, of metrics on val and of training scores, which are logits."
FALLING = 0.1  # fall of the Fréchet distance in the last fifth: above, it has not settled
GENERATOR_MEANINGS = {
    "frechet": "Fréchet distance between real and generated images of val, in the last fifth of the run",
    "frechet_before": "the same distance in the fifth of the run before the last",
    "diversity": "how much generated images of a class differ, relative to real ones",
    "coverage": "share of real images that have a generated one near them",
    "precision": "share of generated images that lie among real ones",
    "score_real": "mean score of real images of val",
    "score_fake": "mean score of generated images",
    "train_score_real": "mean score of training images",
}
NEEDED = GENERATOR_MEANINGS.keys() - {"frechet_before"}


def generator_verdict(curves: Curves, *, diverged: bool) -> Verdict:
    """Judge the curves of a generator, finished or not.

    Args:
        curves: Curves of the run.
        diverged: Whether the run ended because its loss became non-finite.
    """
    numbers = _numbers(curves)
    shown = {name: round(numbers[name], 4) for name in GENERATOR_MEANINGS if name in numbers}
    if diverged:
        return Verdict(state="diverged", numbers=shown, why="The loss became NaN or infinite.", how=HOW)
    state, why = _state(numbers)
    return Verdict(state=state, numbers=shown, why=why, how=HOW)


def _numbers(curves: Curves) -> dict[str, float]:
    """Means over the last fifth of the run, by name, as far as they are finite."""
    last = max(1, round(LAST * len(curves.epochs)))
    series = curves.val.get("val", {}) | {f"train_{name}": values for name, values in curves.terms.items()}
    means = {name: float(np.mean(values[-last:])) for name, values in series.items() if len(values)}
    distance = curves.of_val("frechet")
    if len(distance) > 2 * last:
        means["frechet_before"] = float(np.mean(distance[-2 * last : -last]))
    finite = {name: value for name, value in means.items() if np.isfinite(value)}
    return finite | {"epochs": float(len(curves.epochs))}


def _state(e: dict[str, float]) -> tuple[State, str]:
    if e["epochs"] < FEW or any(name not in e for name in NEEDED):
        return "too early to say", f"{e['epochs']:.0f} epochs with metrics are too few to judge a generator."
    return first(look(e) for look in (_memorises, _repeats, _wins, _misses, _falls)) or (
        "healthy",
        f"Scores of real and generated images are {_between(e):.1f} logits apart; generated ones are "
        f"{e['diversity']:.0%} as varied as real ones, and {e['coverage']:.0%} of these have one near them.",
    )


def _repeats(e: dict[str, float]) -> tuple[State, str] | None:
    if e["diversity"] >= ALIKE:
        return None
    return "collapsed", (
        f"Generated images of a class are {e['diversity']:.0%} as varied as real ones, and "
        f"{e['coverage']:.0%} of the real ones have a generated one near them: the generator repeats itself."
    )


def _wins(e: dict[str, float]) -> tuple[State, str] | None:
    if _between(e) <= SURE or e["precision"] >= FAR:
        return None
    return "discriminator wins", (
        f"Scores of real and of generated images are {_between(e):.1f} logits apart, and "
        f"{e['precision']:.0%} of the generated images lie among real ones: the generator has nothing left "
        "to learn from."
    )


def _memorises(e: dict[str, float]) -> tuple[State, str] | None:
    known = e["train_score_real"] - e["score_real"]
    if known <= KNOWN:
        return None
    return "discriminator memorises", (
        f"Training images score {known:.1f} logits higher than real images that the discriminator has not "
        "seen: it has memorised them instead of learning to tell real from generated."
    )


def _misses(e: dict[str, float]) -> tuple[State, str] | None:
    if e["coverage"] >= MISSING or e["precision"] <= MISSING:
        return None
    return "collapsed", (
        f"Only {e['coverage']:.0%} of the real images have a generated one near them, though "
        f"{e['precision']:.0%} of the generated ones lie among real ones: kinds of images are missing."
    )


def _falls(e: dict[str, float]) -> tuple[State, str] | None:
    before = e.get("frechet_before", 0.0)
    if e["frechet"] >= (1 - FALLING) * before:
        return None
    return "train longer", (
        f"The Fréchet distance is still falling, from {before:.3g} to {e['frechet']:.3g} over the last two "
        "fifths of the run."
    )


def _between(e: dict[str, float]) -> float:
    return e["score_real"] - e["score_fake"]
