# room: detection
"""Show images with their boxes before and after augmentation, as they enter the network."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from imagelab.box_labels import CLASS, CORNERS, there
from imagelab.build import build_data
from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.finding import Finding
from imagelab.inspection.answer import Answer
from imagelab.logger.pictures import grid, legible, save
from imagelab.pages.box_picture import TRUE, DrawnBox, with_boxes
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery
from imagelab.problem import Problem

SHOWN = 24  # images, each twice
SIDE = 160  # pixels of a picture
KEY = "images/inputs.png"


def net_boxes(seen: Any, cfg: Node, folder: Path) -> Answer:
    """Show the first training images with their boxes, before and after augmentation and mixing."""
    try:
        data = build_data(cfg)
    except Problem as problem:
        why = f"training cannot start: {problem}"
        return Answer(findings=[_finding("FAIL", None, why, "fix this first")])
    pairs = before_and_after(data)
    save(folder / KEY, grid(np.stack([picture.pixels for pair in pairs for picture in pair])))
    names = ", ".join(cfg["augment"]) or "none"
    about = (
        f"Images of the first training steps (seed {cfg['seed']}, `augment=[{names}]`): each as it is, then "
        "exactly as the network sees it, after augmentation and mixing. Boxes must follow their objects."
    )
    counts = f"{len(pairs)} images of {data.size} x {data.size} pixels"
    shown = gallery([picture for pair in pairs for picture in pair], side=SIDE)
    return Answer(
        findings=[_finding("INFO", counts, "the inputs of the first training steps", "")],
        sections=[Section("What enters the network", about, shown)],
    )


def before_and_after(data: ImageData) -> list[tuple[Picture, Picture]]:
    """Pictures of the first training images of epoch 0 with boxes, before and after augmentation."""
    pairs: list[tuple[Picture, Picture]] = []
    for address in data.train_batches(epoch=0, start=0, rank=0, ranks=1):
        before = data.prepare_batch(data.plain("train", address.index), train=False, rank=0)
        after = data.prepare_batch(data.train_set[address], train=True, rank=0)
        sides = [_pictures(data, one.images, one.targets) for one in (before, after)]
        pairs += [*zip(*sides, strict=True)]
        if len(pairs) >= SHOWN:
            break
    return pairs[:SHOWN]


def _pictures(data: ImageData, images: Tensor, targets: Tensor) -> list[Picture]:
    """Pictures of normalised images (B, C, H, W) with their boxes, (B, M, 6)."""
    pixels = legible(data.preprocess.denormalise(images))
    scale = pixels.shape[2] / images.shape[3]
    words = data.task.captions(targets, classes=data.classes)
    made = []
    for one, rows, said in zip(pixels, targets.cpu().numpy(), words, strict=True):
        boxes = [
            DrawnBox((left, top, right, bottom), data.classes[int(kind)], TRUE)
            for kind, (left, top, right, bottom) in (
                (row[CLASS], (row[CORNERS] * scale).tolist()) for row in rows[there(rows)]
            )
        ]
        made.append(Picture(with_boxes(one, boxes, side=SIDE), said))
    return made


def _finding(status: Any, value: Any, why: str, fix: str) -> Finding:
    return Finding(name="what enters the network", status=status, value=value, expected="", why=why, fix=fix)
