"""Are the metrics those of all images at once, whatever batches they come in?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagelab.checks.findings import found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import Fixed, short_trainer
from imagelab.classifier import Classifier
from imagelab.contracts import Inputs
from imagelab.record import Record

IMAGES = 200
SIZES = (64, 23)  # images of a batch; the last one is smaller
NEAR, FAR = 1e-4, 5e-3


def same_metrics(subject: Subject) -> Record:
    """Validation by the trainer gives the metrics of all outputs at once, with any batch size."""
    count = min(IMAGES, 4 * subject.count, len(subject.data.splits["val"]))
    index = np.sort(np.random.default_rng(0).permutation(len(subject.data.splits["val"]))[:count])
    views = subject.data.views
    parts = {size: _read(subject, index, size) for size in (*SIZES, count)}
    copy = subject.plain()
    _settle(copy, subject.unchanged)
    rows = [_validated(subject, copy, batches) for batches in list(parts.values())[: 2 if views == 1 else 1]]
    own = _at_once(copy, parts[SIZES[0]])
    apart = {
        name: max(abs(row.get(f"val/{name}", float("nan")) - value) for row in rows)
        for name, value in own.items()
    }
    worst = max(apart, key=lambda name: apart[name] if np.isfinite(apart[name]) else np.inf)
    size = max(1.0, abs(own[worst]))
    status = "OK" if apart[worst] <= NEAR * size else "WARN" if apart[worst] <= FAR * size else "FAIL"
    return found(
        status,
        f"{worst} differs by {apart[worst]:.2g}",
        expected=f"at most {NEAR:g}; FAIL above {FAR:g}",
        why=f"{count} images of val in batches of {SIZES[0]}, of {SIZES[1]}, and all their outputs at once"
        if status == "OK"
        else "validation does not give the metrics of its images: they depend on the batches, or it draws",
        fix=""
        if status == "OK"
        else "compute metrics once from all outputs, in eval mode; not batch by batch",
    )


def _read(subject: Subject, index: np.ndarray, size: int) -> list[Inputs]:
    return [subject.read("val", part) for part in np.split(index, range(size, len(index), size))]


def _settle(copy: Classifier, batch: Inputs) -> None:
    """Statistics of some images, as those of a fresh BatchNorm make outputs explode in some networks."""
    copy.train()
    with torch.no_grad():
        for _ in range(20):
            copy(batch.images[:32])


def _validated(subject: Subject, copy: Classifier, batches: Sequence[Inputs]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        own = {"limit_val_batches": 1.0, "precision": "32-true", "accelerator": "cpu"}  # as the other side
        trainer = short_trainer(subject, Path(folder), [], **own)
        trainer.validate(copy, dataloaders=Fixed(batches), verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@torch.no_grad()
def _at_once(copy: Classifier, batches: Sequence[Inputs]) -> dict[str, float]:
    copy.eval()
    for layer in copy.modules():
        layer.training = False  # whatever `train` and `eval` have been made to do
    pairs = [copy.task.outputs(copy, batch) for batch in batches]
    outputs, labels = (torch.cat(part) for part in zip(*pairs, strict=True))
    found = copy.task.metrics(outputs.float(), labels)
    values = {name: float(value) for name, value in found.items()}
    if "accuracy" in values:
        values["accuracy"] = float((outputs.argmax(1) == labels).float().mean())
    return values
