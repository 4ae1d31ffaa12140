"""Compute the few numbers of a run's curves that its verdict is based on."""

import math

import numpy as np

from imagelab.metrics.table import ACCURACY, LOSS
from imagelab.reports.curves import Curves, smoothed

MEANINGS = {
    "epochs": "epochs that have ended",
    "chance": "loss of a model that gives every class the same probability",
    "bad": "logged losses that are NaN or infinite",
    "val_bad": "last epochs in a row whose validation loss is NaN or infinite",
    "train_first": "training loss of the first epoch",
    "train_end": "training loss of the last epoch",
    "train_gain": "fraction of the total decrease of the training loss made in the last fifth of the run",
    "train_speed": "speed of that decrease in the last fifth, over its mean speed",
    "train_jitter": "how far the training losses of late epochs scatter around their trend, over their level",
    "val_best": "lowest validation loss",
    "val_best_epoch": "its epoch",
    "val_best_at": "the same as a fraction of the run",
    "val_end": "validation loss of the last epoch",
    "val_median": "median validation loss of all epochs",
    "val_rise": "rise of the validation loss since its minimum, as a fraction of its total decrease",
    "val_gain": "fraction of the decrease of the validation loss below chance level made in the last fifth",
    "val_jitter": "how far the validation losses of late epochs scatter around their trend, over their level",
    "train_accuracy": "training accuracy of the last epoch",
    "train_accuracy_then": "training accuracy of the epoch with the highest validation accuracy",
    "val_accuracy": "validation accuracy of the last epoch",
    "val_accuracy_best": "highest validation accuracy",
    "val_accuracy_best_epoch": "its epoch",
    "val_accuracy_noise": "standard deviation of validation accuracy around its trend in late epochs",
}
LATE = 5  # fewest late epochs to judge whether they oscillate
TURNS = 0.2  # fraction of late epochs worse than the one before; fewer do not count as oscillation


def numbers_of(curves: Curves, entropy: float | None, floor: float) -> dict[str, float]:
    """The numbers by name; those of val are missing if nothing was validated.

    Args:
        curves: Curves of the run.
        entropy: Chance-level loss; None: estimated by the first values.
        floor: Lowest possible loss; all losses are measured from there.
    """
    train = curves.train - floor
    val = curves.of_val("loss") - floor
    known = np.isfinite(val)
    first = [values[0] for values in (curves.losses - floor, train) if len(values)]
    chance = entropy - floor if entropy else max(first, default=math.nan)
    numbers = {"epochs": float(len(train)), "chance": chance}
    numbers["bad"] = float((~np.isfinite(curves.losses)).sum() + (~np.isfinite(train)).sum())
    numbers["val_bad"] = float(np.logical_and.accumulate(~known[::-1]).sum()) if _validated(curves) else 0.0
    if len(train):
        numbers |= _of_train(train, chance)
    if known.any():
        numbers |= _of_val(val[known], curves.epochs[known], chance, len(train))
    if len(curves.train_accuracy):
        numbers |= _of_accuracy(curves.train_accuracy, curves.of_val(ACCURACY), curves.epochs)
    return numbers


def _validated(curves: Curves) -> bool:
    return LOSS in curves.val.get("val", {})


def _of_train(train: np.ndarray, chance: float) -> dict[str, float]:
    smooth = smoothed(train)
    last = _last_fifth(len(train))
    fall = max(chance, train[0]) - smooth[-1]
    gain = smooth[last] - smooth[-1]
    part = (len(train) - 1 - last) / len(train)
    return {
        "train_first": float(max(train[0], smooth[0])),
        "train_end": float(smooth[-1]),
        "train_gain": float(gain / fall) if fall > 0 else 0.0,
        "train_speed": float(gain / part / fall) if fall > 0 and part else 0.0,
        "train_jitter": _jitter(train, chance),
    }


def _of_val(val: np.ndarray, epochs: np.ndarray, chance: float, count: int) -> dict[str, float]:
    smooth = smoothed(val)
    last = _last_fifth(len(val))
    best = int(smooth.argmin())
    fall = max(chance, smooth[0]) - smooth[best]
    left = chance - smooth[-1]
    return {
        "val_best": float(smooth[best]),
        "val_best_epoch": float(epochs[best]),
        "val_best_at": float(epochs[best] / max(count, 1)),
        "val_end": float(smooth[-1]),
        "val_median": float(np.median(val)),
        "val_rise": float((smooth[-1] - smooth[best]) / fall) if fall > 0 else 0.0,
        "val_gain": float((smooth[last] - smooth[-1]) / left) if left > 0 else 0.0,
        "val_jitter": _jitter(val, chance),
    }


def _of_accuracy(train: np.ndarray, val: np.ndarray, epochs: np.ndarray) -> dict[str, float]:
    """Both accuracies if both are known, and how they changed since that of val was highest."""
    known = np.isfinite(train) & np.isfinite(val)
    if not known.any():
        return {}
    right, seen = smoothed(val[known]), smoothed(train[known])
    best = int(right.argmax())
    return {
        "train_accuracy": float(seen[-1]),
        "train_accuracy_then": float(seen[best]),
        "val_accuracy": float(right[-1]),
        "val_accuracy_best": float(right[best]),
        "val_accuracy_best_epoch": float(epochs[known][best]),
        "val_accuracy_noise": _noise(val[known][-max(LATE, len(right) // 3) :]),
    }


def _last_fifth(count: int) -> int:
    return max(0, count - 1 - max(1, round(count / 5)))


def _jitter(values: np.ndarray, chance: float) -> float:
    """The difference between neighbouring epochs in the last third, relative to their level."""
    late = values[-max(LATE, len(values) // 3) :]
    if len(late) < LATE or (np.diff(late) > 0).mean() < TURNS:
        return 0.0
    return _noise(late) / max(float(np.median(late)), 0.15 * chance)


def _noise(values: np.ndarray) -> float:
    """The standard deviation of an epoch around the trend; 0 for fewer than three.

    From the median of second differences: they are 0 for a linear trend, and one spike does not change it.
    """
    bends = np.abs(np.diff(values, 2)) / math.sqrt(6)
    return float(np.median(bends) / 0.6745) if len(bends) else 0.0
