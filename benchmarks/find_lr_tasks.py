# room: finders, schedule/cosine
"""The tasks on which `benchmarks/find_lr.py` looks at suggested learning rates."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from many_runs import run
from torch import Tensor, nn

from imagelab.config import schema
from imagelab.config.compose import compose, plain

Node = dict[str, Any]


class MLP(nn.Module):
    """Two hidden layers without norm."""

    def __init__(self, *, num_classes: int, in_channels: int, size: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * size * size, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, K)."""
        return self.head(self.features(images))


DIGITS = ["data=digits", "trainer.max_epochs=12"]
PHOTOS = [
    "data=folder",
    "data.storage=memory",
    "data.size=16",
    "data.limit=2000",
    "data.workers=0",
    "trainer.max_epochs=10",
]
ALL = ["trainer=cpu", "schedule=cosine", "logger=[]"]
LOW, HIGH = (1e-4, 1.0), (1e-3, 10.0)
# Name -> (words, ends of the grid): the first six the rule was tuned on, the others it had not seen.
TUNED = {
    "digits, CNN, sgd": ([*DIGITS, "optimizer=sgd"], HIGH),
    "digits, CNN without norm, adamw": ([*DIGITS, "model.norm=none", "optimizer=adamw"], LOW),
    "photos, ResNet-9, momentum": ([*PHOTOS, "model=resnet9", "model.width=8", "optimizer=momentum"], HIGH),
    "photos, CNN, adamw": ([*PHOTOS, "model.widths=[16,32]", "optimizer=adamw"], LOW),
    "digits, MLP, momentum": ([*DIGITS, "MLP", "optimizer=momentum"], LOW),
    "digits, CNN without norm, momentum": ([*DIGITS, "model.norm=none", "optimizer=momentum"], LOW),
}
FRESH = {
    "digits, CNN, muon": ([*DIGITS, "optimizer=muon"], LOW),
    "digits, MLP, adamw": ([*DIGITS, "MLP", "optimizer=adamw"], LOW),
    "photos, ResNet-9, adamw, flip and crop": (
        [*PHOTOS, "model=resnet9", "model.width=8", "optimizer=adamw", "augment=[flip,crop]"],
        LOW,
    ),
    "photos, CNN with GroupNorm, nesterov": (
        [*PHOTOS, "model.widths=[16,32]", "model.norm=group", "optimizer=nesterov"],
        HIGH,
    ),
    "photos, CNN, lion, mixup": (
        [*PHOTOS, "model.widths=[16,32]", "optimizer=lion", "augment=[flip,mixup]"],
        LOW,
    ),
    "digits, CNN from weights for 0 to 4, adamw, discriminative": (
        [*DIGITS, "data.limit=400", "data.batch_size=32", "PRETRAINED", "finetune=discriminative"],
        LOW,
    ),
    "digits, CNN, sgd, batches of 32, sigmoid": (
        [*DIGITS, "data.batch_size=32", "trainer.max_epochs=4", "optimizer=sgd", "model.activation=sigmoid"],
        HIGH,
    ),
}


def grid(ends: tuple[float, float]) -> list[float]:
    """Two rates a decade."""
    return [float(rate) for rate in np.geomspace(*ends, round(2 * np.log10(ends[1] / ends[0])) + 1)]


def composed(words: list[str], seed: int, root: Path) -> Node:
    """The config of a task."""
    said = [word for word in words if word not in ("MLP", "PRETRAINED")]
    said += [f"data.root={root}"] if "data=folder" in words else []
    said += [f"model.weights={pretrained()}"] if "PRETRAINED" in words else []
    found = compose("train", [*ALL, *said, f"seed={seed}"])
    assert found.cfg is not None, found.problems
    cfg = plain(found.cfg)
    if "MLP" in words:
        _, knobs = schema.split("model", cfg["model"])
        cfg["model"] = knobs | {"_target_": "find_lr_tasks.MLP", "width": 64}
    return cfg


@cache
def pretrained() -> Path:
    """A run on the digits 0 to 4 alone."""
    folder = Path(tempfile.mkdtemp()) / "run"
    run({"trainer": "cpu", "trainer.max_epochs": "4", "data.classes": "[0,1,2,3,4]"}, 0, folder)
    return folder
