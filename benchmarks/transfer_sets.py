"""The four sets of benchmarks/transfer.py: few pictures a class, small on disk, with fixed val and test."""

import csv
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SETS = ("hymenoptera", "cells", "clothing", "cifar10")
COUNTS = (10, 50, 200)  # training pictures a class, or all if there are fewer
VAL, TEST = 10, 30  # a class; of ants and bees all pictures of their own val/
FEW = 1000  # files of a folder that are opened to see whether they are pictures
SIDES = ("xmin", "ymin", "xmax", "ymax")
SIDE = 128  # pixels of the shorter side on disk
PARTS = {
    "hymenoptera": ("train", "val"),
    "cells": ("trainval", "test"),
    "clothing": ("train", "test"),
    "cifar10": ("train", "test"),
}
Box = tuple[float, float, float, float]
Place = tuple[Path, Box | None]  # a picture, or a part of one


def manifest(data: Path, kept: Path, name: str, count: int, seed: int) -> Path:
    """Write the pictures of a set and a list of them, unless they are there -> the list.

    Training pictures are drawn anew by each seed; val and test are the same for all.
    """
    file = kept / f"{name}_{count}_{seed}.csv"
    if file.is_file():
        return file
    rows = []
    for label, pool, test in classes(data, name):
        fixed = np.random.default_rng(0).permutation(len(pool))
        val, rest = fixed[:VAL], fixed[VAL:]
        train = np.random.default_rng([seed, count]).permutation(rest)[:count]
        parts = {"train": [pool[k] for k in train], "val": [pool[k] for k in val], "test": test}
        places = [(place, part) for part, some in parts.items() for place in some]
        for place, part in places:  # names may be the same in the folders of the pool and of the test
            folder = kept / name / ("test" if part == "test" else "pool") / label
            rows.append((small(place, folder), label, part))
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "label", "split"))
        writer.writerows((path.relative_to(kept), label, split) for path, label, split in rows)
    return file


def classes(data: Path, name: str) -> Iterator[tuple[str, list[Place], list[Place]]]:
    """Each class of a set: its name, the pictures to draw from, and those of the test."""
    train, test = PARTS[name]
    most = None if name == "hymenoptera" else TEST
    if name == "cells":
        pools = [cells(data / "bccd", part) for part in (train, test)]
        for label in sorted(pools[0]):
            yield label, pools[0][label], pools[1][label][:most]
        return
    for folder in sorted((data / name / train).iterdir()):
        pool, tested = (pictures(data / name / part / folder.name) for part in (train, test))
        yield folder.name, pool, tested[:most]


def pictures(folder: Path) -> list[Place]:
    """The pictures of a folder; of the photos of ants and bees, one file is not a picture."""
    found = sorted(folder.iterdir())
    return [(path, None) for path in found if len(found) > FEW or readable(path)]


def cells(root: Path, part: str) -> dict[str, list[Place]]:
    """The boxes of each kind of blood cell in a part of BCCD, with a margin of a tenth."""
    found: dict[str, list[Place]] = {}
    for stem in (root / "ImageSets" / "Main" / f"{part}.txt").read_text(encoding="utf-8").split():
        tree = ElementTree.parse(root / "Annotations" / f"{stem}.xml")
        for one in tree.iter("object"):
            box = one.find("bndbox")
            assert box is not None
            left, top, right, bottom = (float(box.findtext(side, "0")) for side in SIDES)
            if right - left < 8 or bottom - top < 8:
                continue
            wide, high = (right - left) / 10, (bottom - top) / 10
            place = root / "JPEGImages" / f"{stem}.jpg"
            found.setdefault(one.findtext("name", ""), []).append(
                (place, (left - wide, top - high, right + wide, bottom + high))
            )
    return found


def small(place: Place, folder: Path) -> Path:
    """A picture as a file whose shorter side has at most `SIDE` pixels."""
    path, box = place
    name = path.stem if box is None else f"{path.stem}_{'_'.join(f'{side:.0f}' for side in box)}"
    target = folder / f"{name}.jpg"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as file:
            image = file.convert("RGB")
        if box is not None:
            image = image.crop(tuple(round(side) for side in box))
        scale = SIDE / min(image.size)
        if scale < 1:
            size = round(image.width * scale), round(image.height * scale)
            image = image.resize(size, Image.Resampling.BOX)
        image.save(target, quality=95)
    return target


def readable(path: Path) -> bool:
    """Whether a file is a picture."""
    try:
        with Image.open(path) as image:
            image.verify()
    except (OSError, SyntaxError):
        return False
    return True
