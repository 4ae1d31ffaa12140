"""Collect the images to inspect: those of a run, split like the run, including unreadable files.

Folders are inspected without torch, whose import alone takes 500 MB and two seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import (
    dataclass,
    field,
    replace,  # room: detection
)
from inspect import signature
from itertools import chain
from pathlib import Path

import numpy as np

from imagelab.box_labels import BoxFault, stacked  # room: detection
from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.contracts import Images, Photos
from imagelab.data.files import Files
from imagelab.data.folds import merged
from imagelab.data.groups import together
from imagelab.data.labels import in_words, refuse_non_finite, refuse_other_labels
from imagelab.data.named import Named, named
from imagelab.data.paths import paths_of
from imagelab.data.scan import UNREADABLE, scan
from imagelab.data.splits import choose_classes, deal, warn_of_groups
from imagelab.inspection.command import FOLDER
from imagelab.inspection.walk import Walk, walk


@dataclass(frozen=True, kw_only=True)
class Collection:
    """The N images of all splits, "train" first, readable or not.

    Args:
        parts: Split -> its images.
        classes: Class names in the order of the labels.
        names: (N,) str: file of each image, relative to `root` if it is inside; without files, its index in
            the source, such as train/17.
        splits: (N,) str: split of each image.
        labels: (N, ...): label of each image, as in `contracts.Images`.
        walk: Content of the folder; None if the data set is not a folder.
        box_faults: Boxes that the data set left out or cut off.
    """

    parts: Mapping[str, Images]
    classes: list[str]
    names: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    walk: Walk | None = field(default=None)
    box_faults: Sequence[BoxFault] = field(default=())  # room: detection

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, index: int) -> tuple[Images, int]:
        """The images of the split that an image is in, and its index in them."""
        for images in self.parts.values():
            if index < len(images):
                return images, index
            index -= len(images)
        raise IndexError(index)

    def label(self, index: int) -> str:
        """The label of an image in words."""
        return in_words(self.labels[index], self.classes)

    def path(self, index: int) -> str | None:
        """The file of an image; None if it has none."""
        images, place = self.place(index)
        return str(images.paths[place]) if isinstance(images, Files) else None

    def pixels(self, index: int, least: int | None = None) -> np.ndarray:
        """An image, (H, W, 3) uint8, upright; `least`: the smallest short side still needed, in pixels.

        Raises:
            Problem: It cannot be read.
        """
        images, place = self.place(index)
        if isinstance(images, Photos):
            return images.photo(place, least)
        pixels: np.ndarray = images.images[place].numpy().transpose(1, 2, 0)  # type: ignore[attr-defined]
        return np.ascontiguousarray(np.repeat(pixels, 3 // pixels.shape[2], axis=2))


def collect(cfg: Node) -> Collection:
    """The images of a config's data set.

    Raises:
        Problem: There are none.
    """
    own, knobs = schema.split("data", cfg["data"])
    takes = says(cfg["task"]).takes or "class"
    found = walk(own, takes) if own["_target_"] == FOLDER else None
    faults: Sequence[BoxFault] = ()  # room: detection
    if found is None:
        from imagelab.config.make import make

        made = make(own, seed=cfg["seed"], labelled=True, takes=takes, max_pixels=knobs["max_pixels"])
        refuse_other_labels(made.splits, takes, task=task_name(cfg))
        refuse_non_finite(made)
        names, source = list(made.classes), dict(made.splits)
        faults = getattr(made, "faults", ())  # room: detection
    else:
        names, source = _of_folder(found, own["group"], knobs["max_pixels"])
    parts = named(source)
    unreadable = {split: _where(part, part.contents == UNREADABLE) for split, part in parts.items()}
    parts = {split: _where(part, part.contents != UNREADABLE) for split, part in parts.items()}
    if "train" in parts and len(parts["train"]):
        how = {name: knobs[name] for name in signature(deal).parameters if name in knobs}
        classes, parts, _ = deal(names, parts, **how)
        warn_of_groups(parts)
        if knobs["classes"] is not None:
            unreadable = choose_classes(names, unreadable, classes)[1]
        names = classes
    for split, part in unreadable.items():
        parts[split] = merged([parts[split], part]) if len(part) else parts[split]
    if faults:  # room: detection
        return replace(_collection(parts, names, found), box_faults=faults)
    return _collection(parts, names, found)


def _where(part: Named, kept: np.ndarray) -> Named:
    return part.select(np.flatnonzero(kept))


def _of_folder(found: Walk, group: str | None, max_pixels: int) -> tuple[list[str], dict[str, Images]]:
    """The names of the labels, and the files of each split in the order of `data=folder`."""
    if found.labels is not None:
        names, files, splits, labels = found.labels
    else:
        names = sorted(set(chain.from_iterable(found.listing.values())))
        rows = [
            (path, split, label)
            for split, classes in found.listing.items()
            for label, name in enumerate(names)
            for path in classes.get(name, [])
        ]
        files = [row[0] for row in rows]
        splits = np.array([row[1] for row in rows])
        labels = np.array([row[2] for row in rows], dtype=np.int64)
    paths = paths_of(files)
    seen = scan(paths, found.origin, max_pixels)
    groups = together(group, paths, seen.contents, found.root, found.table)
    source: dict[str, Images] = {}
    for split in found.listing:
        mine = np.flatnonzero(splits == split)
        facts = seen.stamps[mine], seen.contents[mine], None if groups is None else groups[mine]
        source[split] = Files(paths[mine], labels[mine], seen.sizes[mine], max_pixels, *facts)
    return names, source


def _collection(parts: Mapping[str, Named], classes: list[str], found: Walk | None) -> Collection:
    order = [split for split in ("train", "val", "test") if split in parts]
    parts = {split: parts[split] for split in order}
    names = [_names(images, found) for images in parts.values()]
    return Collection(
        parts={split: part.images for split, part in parts.items()},
        classes=classes,
        names=np.concatenate(names),
        splits=np.repeat(order, [len(images) for images in parts.values()]),
        labels=_labels([images.labels for images in parts.values()]),
        walk=found,
    )


def _labels(parts: list[np.ndarray]) -> np.ndarray:
    if parts[0].ndim == 3:  # room: detection
        return stacked(parts)
    return np.concatenate(parts)


def _names(part: Named, found: Walk | None) -> np.ndarray:
    images = part.images
    if not isinstance(images, Files):
        return np.array(part.names, dtype=np.str_)
    above = f"{found.root if found else Path.cwd()}/"
    return np.array([path.removeprefix(above) for path in images.paths], dtype=np.str_)
