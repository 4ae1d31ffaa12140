"""Read the curves of a run from its metrics.csv or its last checkpoint."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imagelab.metrics.smoothing import smooth
from imagelab.metrics.table import ACCURACY, LOSS

TRAINED = f"train/{ACCURACY}"
SHARPNESS = "train/sharpness"
SMOOTH = 20  # curves are smoothed over one twentieth of the run


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Numbers by epoch and by step, each array in chronological order.

    Args:
        epochs: Numbers of the epochs, from 1, (n,).
        train: Mean training loss of each epoch, (n,).
        train_accuracy: Accuracy on augmented training images, (n,); empty if not measured.
        val: Metrics by name, (n,), for each set of weights, "val" or "val_ema"; NaN if not validated.
        steps: Optimizer steps that were logged, (m,).
        losses: Training loss, mean over the steps since the previous entry, (m,).
        rates: Learning rates by group, (m,).
        norms: Gradient norm before clipping, (m,); empty if not logged.
        sharpness: Rise of the loss at the worst nearby weights, by measurement; empty if not measured.
        terms: Means over an epoch of what else was recorded at each step, by name, (n,).
    """

    epochs: np.ndarray
    train: np.ndarray
    train_accuracy: np.ndarray = field(default_factory=lambda: np.empty(0))
    val: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    steps: np.ndarray = field(default_factory=lambda: np.empty(0))
    losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    rates: dict[str, np.ndarray] = field(default_factory=dict)
    norms: np.ndarray = field(default_factory=lambda: np.empty(0))
    sharpness: np.ndarray = field(default_factory=lambda: np.empty(0))
    terms: dict[str, np.ndarray] = field(default_factory=dict)

    def of_val(self, metric: str) -> np.ndarray:
        """A metric of the raw weights on val, (n,); all NaN if there is none."""
        return self.val.get("val", {}).get(metric, np.full(len(self.epochs), np.nan))


def read_curves(path: Path) -> Curves:
    """Read the curves from a metrics.csv, even of a run that is still running or was killed while writing."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(whole.splitlines()))
    ends = [row for row in rows if row.get("train/loss_epoch")]
    logged = [row for row in rows if row.get("train/loss")]
    names = list(rows[0]) if rows else []
    return Curves(
        epochs=_column(ends, "epoch") + 1,
        train=_column(ends, "train/loss_epoch"),
        train_accuracy=_column(ends, TRAINED) if TRAINED in names else np.empty(0),
        val=_by_split({name: _column(ends, name) for name in names if any(row.get(name) for row in ends)}),
        steps=_column(logged, "step"),
        losses=_column(logged, "train/loss"),
        rates={name[3:]: _column(logged, name) for name in names if name.startswith("lr/")},
        norms=_column(logged, "grad_norm") if "grad_norm" in names else np.empty(0),
        sharpness=_column([row for row in rows if row.get(SHARPNESS)], SHARPNESS),
        terms={term_of(name): _column(ends, name) for name in names if term_of(name)},
    )


def from_history(history: Sequence[Mapping[str, float]]) -> Curves:
    """The curves of a run without metrics.csv, from the history of epochs in a checkpoint."""
    names = list(dict.fromkeys(name for entry in history for name in entry))
    columns = {name: np.array([entry.get(name, np.nan) for entry in history]) for name in names}
    return Curves(
        epochs=np.arange(1.0, len(history) + 1),
        train=columns.get("train/loss", np.empty(0)),
        train_accuracy=columns.get(TRAINED, np.empty(0)),
        val=_by_split(columns),
    )


def term_of(column: str) -> str:
    """The name of what each step records besides the loss, from that of its mean; "" of other columns.

    >>> term_of("train/l2_epoch"), term_of("train/loss_epoch"), term_of("val/loss")
    ('l2', '', '')
    """
    name = column.removeprefix("train/").removesuffix("_epoch")
    return name if column == f"train/{name}_epoch" and name != LOSS else ""


def smoothed(values: np.ndarray) -> np.ndarray:
    """A centred Gaussian moving average over a twentieth of the run, (n,); short curves stay as they are."""
    width = len(values) / SMOOTH
    return values if width < 0.5 or len(values) < 3 else smooth(values, width)


def _by_split(columns: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, values in columns.items():
        split, _, metric = name.partition("/")
        # A loss that is always NaN is kept: without it, the run would pass for one without validation.
        if split.startswith("val") and (np.isfinite(values).any() or metric == LOSS):
            found.setdefault(split, {})[metric] = values
    return found


def _column(rows: Sequence[Mapping[str, str]], name: str) -> np.ndarray:
    return np.array([float(row.get(name) or "nan") for row in rows], dtype=float)
