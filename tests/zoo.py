# room: checks
"""Runs that would begin, sound ones, for the checks to say nothing against, and for bugs to be planted in."""

import atexit
import copy
import dataclasses
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from imagelab.checks.prepare import prepare
from imagelab.checks.run import run
from imagelab.checks.subject import Subject
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from tests.fitting import fitted

# Two kinds of runs: with and without BatchNorm, other optimizers, seeds and sizes.
KINDS = {
    "A": ["optimizer=sgd", "optimizer.lr=0.05", "seed=0"],
    "B": ["model.norm=none", "optimizer=adamw", "optimizer.lr=0.003", "seed=5", "data.limit=900"],
}
DIGITS = ["data=digits", "model=small_cnn", "data.batch_size=64"]
BLOBS = [
    "data._target_=tests.zoo.Blobs",
    "++data.count=600",
    "++data.rare=false",
    "model=small_cnn",
    "data.batch_size=64",
]


class Blobs:
    """Small colour images of four classes: a coloured patch, its place and its colour, on a smooth ground."""

    def __init__(self, *, count: int, rare: bool, seed: int) -> None:
        """`rare`: whether the first class has 17 of 20 images."""
        rng = torch.Generator().manual_seed(seed)
        labels = (torch.arange(count) % 20 - 16).clamp(min=0) if rare else torch.arange(count) % 4
        ground = functional.interpolate(torch.rand(count, 3, 4, 4, generator=rng), size=24, mode="bilinear")
        images = 60 * ground + 40 * torch.tensor([1.5, 0.8, 0.2])[:, None, None]
        colours = torch.tensor([[120, 90, 30], [130, 40, 20], [60, 110, 20], [100, 100, 60]])
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = (
                torch.randint(0, 5, (2,), generator=rng) + torch.tensor([label // 2, label % 2]) * 8
            ).tolist()
            image[:, top : top + 8, left : left + 8] += colours[label][:, None, None]
        self.classes = ["red", "green", "blue", "grey"]
        pixels = images.clamp(0, 255).to(torch.uint8)
        self.splits: dict[str, Images] = {"train": Arrays(pixels, labels.numpy().astype(np.int64))}


def subject(words: list[str], seconds: float = 30.0) -> Subject:
    """What would be trained by these words, with parts that a bug may change."""
    sound = _prepared(tuple(words), seconds)
    data = copy.copy(sound.data)
    data.splits, data.preprocess = dict(data.splits), copy.copy(data.preprocess)
    return dataclasses.replace(
        sound,
        data=data,
        classifier=copy.deepcopy(sound.classifier),
        pictures={},
        cfg=copy.deepcopy(sound.cfg),
    )


def statuses(checked: Subject, *, fast: bool, only: tuple[str, ...] = ()) -> dict[str, str]:
    """What each check says: its status, by its name; each that fails says what to do."""
    found = run(checked, fast=fast, only=only)
    assert [finding.name for finding in found if finding.status == "FAIL" and not finding.fix] == []
    return {finding.name: finding.status for finding in found}


@cache
def trained() -> str:
    """The folder of a run on the digits, for words that name TRAINED."""
    folder = Path(tempfile.mkdtemp(prefix="imagelab-zoo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fitted([*DIGITS, "trainer=cpu", "trainer.max_epochs=1", "data.limit=300", "logger=[]"], folder)
    return str(folder)


@cache
def _prepared(words: tuple[str, ...], seconds: float) -> Subject:
    words = tuple(word.replace("TRAINED", trained()) if "TRAINED" in word else word for word in words)
    composed = compose("train", ["trainer=cpu", *words])
    assert composed.cfg is not None, composed.problems
    assert composed.problems == []
    cfg = plain(composed.cfg)
    assert validate.problems(cfg) == []
    return prepare(cfg, Path("/nowhere"), seconds=seconds)
