"""Choose where pictures are kept during a run: in memory, in their files, or shrunk on disk."""

from typing import Literal

import numpy as np

from imagelab.contracts import Images
from imagelab.data.files import Files
from imagelab.data.folds import joined
from imagelab.data.labels import kind_of  # room: detection
from imagelab.data.memory import decode_once, fits_in_memory
from imagelab.data.packed import Packed
from imagelab.data.shrunk import shrink_once
from imagelab.data.splits import Splits
from imagelab.problem import Problem  # room: detection

Storage = Literal["auto", "memory", "files", "shrunk"]


def store_splits(
    splits: Splits, storage: Storage, *, pooled: bool, size: int | None, short: int, train_short: int
) -> Splits:
    """Store the pictures of all splits as `storage` says; images that are already in memory stay there.

    Args:
        splits: The splits of a source.
        storage: "auto" keeps small pictures of one size in memory, and others in their files.
        pooled: Whether train and val are folds of one pool, which is stored once for all folds.
        size: Side in pixels of the square that pictures in memory are cropped to if they are larger or
            differ in size.
        short: Short side in pixels that photos are shrunk to.
        train_short: The same for training images, which augmentation may zoom into.
    """
    if kind_of(splits["train"].labels) == "boxes":  # room: detection
        storage = storage_of_boxes(storage)
    if storage == "auto":
        small = all(
            isinstance(images, Files | Packed) and fits_in_memory(images) for images in splits.values()
        )
        storage = "memory" if small else "files"

    def put(images: Images, short: int) -> Images:
        if not isinstance(images, Files | Packed) or storage == "files":
            return images
        return decode_once(images, size=size) if storage == "memory" else shrink_once(images, short=short)

    stored: Splits = {}
    for name, images in splits.items():
        least = train_short if name == "train" else short
        if pooled and name != "test" and isinstance(images, Files | Packed) and storage != "files":
            pool, places = _pool(splits["train"], splits["val"])
            stored[name] = put(pool, least).select(places[name])
        else:
            stored[name] = put(images, least)
    return stored


def storage_of_boxes(storage: Storage) -> Storage:  # room: detection
    """Where pictures with boxes are kept: in memory they would be cropped, and boxes with them.

    Raises:
        Problem: They should be kept in memory.
    """
    if storage == "memory":
        raise Problem(
            "data.storage: memory crops pictures to squares, and boxes need all of them; set files or shrunk"
        )
    return "files" if storage == "auto" else storage


def _pool(train: Images, val: Images) -> tuple[Images, dict[str, np.ndarray]]:
    """Join both splits in an order that does not depend on the fold; return also the places of images."""
    pool = joined([train, val])
    assert isinstance(pool, Files | Packed)
    order = np.argsort(pool.paths.table) if isinstance(pool, Files) else np.lexsort(pool.table[:, 1::-1].T)
    places = np.argsort(order)
    return pool.select(order), {"train": places[: len(train)], "val": places[len(train) :]}
