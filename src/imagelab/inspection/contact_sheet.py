"""Show what enters the network: the inputs of the first training steps, de-normalised, with labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from imagelab.build import build_data
from imagelab.config.schema import Node
from imagelab.contracts import Inputs
from imagelab.data.image_data import ImageData
from imagelab.data.labels import classes_of
from imagelab.finding import Finding
from imagelab.inspection.answer import Answer
from imagelab.logger.pictures import grid, legible, save
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery
from imagelab.problem import Problem

RANDOM = 48  # images of the first step to show
EACH = 6  # images to show per class
CLASSES = 50  # classes to show
STEPS = 8  # steps searched for images of every class
BUDGET = 120_000  # bytes for the pictures of a section
BY_CLASS = "What enters the network, by class"
KEY = "images/inputs.png"


class Sheet(NamedTuple):
    """M images as the network sees them. pixels: (M, H, W, 3) uint8, small ones enlarged. words: captions."""

    pixels: np.ndarray
    words: list[str]


def net_inputs(seen: Any, cfg: Node, folder: Path) -> Answer:
    """Show the first training images after augmentation and mixing, of the first step and by class."""
    try:
        data = build_data(cfg | {"data": _readable(cfg["data"])})
    except Problem as problem:
        why = f"training cannot start: {problem}"
        return Answer(findings=[_finding("FAIL", None, why, "fix this first")])
    first, by_class = sheets(data)
    save(folder / KEY, grid(first.pixels))
    inputs = next(entering(data))
    shown = (
        f"{tuple(inputs.images.shape[1:])}, mean {inputs.images.mean():.2f}, std {inputs.images.std():.2f}"
    )
    names = ", ".join(cfg["augment"]) or "none"
    about = (
        f"The images of the first training step (seed {cfg['seed']}, `augment=[{names}]`) exactly as the "
        "network sees them, after augmentation, resizing and mixing; only the normalisation is undone. The "
        "caption is the label, or the shares of two."
    )
    rest = f"The first {EACH} of each class, of up to {CLASSES} classes, in the first {STEPS} steps."
    each = [Section(BY_CLASS, rest, _gallery(*_joined(by_class)))] if by_class else []
    sections = [
        Section("What enters the network", about, _gallery(first.pixels, first.words)),
        *each,
    ]
    return Answer(
        findings=[_finding("INFO", shown, "the inputs of the first training step", "")], sections=sections
    )


def sheets(data: ImageData) -> tuple[Sheet, dict[str, Sheet]]:
    """The first images of epoch 0, and the first of each class."""
    kept: dict[int, list[tuple[np.ndarray, str]]] = {
        label: [] for label in range(len(data.classes))[:CLASSES]
    }
    first = None
    for inputs in entering(data):
        sheet = _sheet(data, inputs)
        first = first or Sheet(sheet.pixels[:RANDOM], sheet.words[:RANDOM])
        for label, one, words in zip(inputs.labels, sheet.pixels, sheet.words, strict=True):
            for own in classes_of(label.numpy()):
                if own in kept and len(kept[own]) < EACH:
                    kept[own].append((one, words))
        if all(len(found) == EACH for found in kept.values()):
            break
    assert first is not None
    by_class = {
        data.classes[label]: Sheet(np.stack([one for one, _ in found]), [words for _, words in found])
        for label, found in kept.items()
        if found
    }
    return first, by_class


def entering(data: ImageData) -> Iterator[Inputs]:
    """The inputs of the first training steps of a run on one device, loaded without workers."""
    batches = data.train_batches(epoch=0, start=0, rank=0, ranks=1)
    for _, address in zip(range(STEPS), batches, strict=False):
        yield data.prepare_batch(data.train_set[address], train=True, rank=0)


def _sheet(data: ImageData, inputs: Inputs) -> Sheet:
    with torch.no_grad():
        pixels = legible(data.preprocess.denormalise(inputs.images))
    return Sheet(pixels, data.task.captions(inputs.targets, classes=data.classes))


def _readable(data: Node) -> Node:
    return data | ({"on_bad_image": "skip"} if "on_bad_image" in data else {})


def _joined(by_class: dict[str, Sheet]) -> Sheet:
    pixels = np.concatenate([sheet.pixels for sheet in by_class.values()])
    return Sheet(pixels, [words for sheet in by_class.values() for words in sheet.words])


def _gallery(pixels: np.ndarray, words: list[str]) -> str:
    return gallery([Picture(*pair) for pair in zip(pixels, words, strict=True)], budget=BUDGET)


def _finding(status: Any, value: Any, why: str, fix: str) -> Finding:
    return Finding(name="what enters the network", status=status, value=value, expected="", why=why, fix=fix)
