"""Where the pictures of files are kept while a run goes on: in memory, in their files, or shrunk on disk."""

from typing import Literal

from imagelab.contracts import Images
from imagelab.data.files import Files
from imagelab.data.memory import fits_in_memory, in_memory
from imagelab.data.shrunk import shrink_once
from imagelab.data.splits import Splits

Storage = Literal["auto", "memory", "files", "shrunk"]


def stored(splits: Splits, storage: Storage, *, size: int | None, short: int, train_short: int) -> Splits:
    """The splits with their files as `storage` says; images that are in memory already stay there.

    Args:
        splits: What a source holds.
        storage: "auto" keeps small pictures of one size in memory, and others in their files.
        size: Side in pixels of the square that pictures in memory are cut to if larger, or of many sizes.
        short: The short side in pixels that photos are shrunk to.
        train_short: The same of the training images, which may be looked at more closely.
    """
    if storage == "auto":
        small = all(isinstance(images, Files) and fits_in_memory(images) for images in splits.values())
        storage = "memory" if small else "files"

    def put(images: Images, short: int) -> Images:
        if not isinstance(images, Files) or storage == "files":
            return images
        return in_memory(images, size=size) if storage == "memory" else shrink_once(images, short=short)

    return {name: put(images, train_short if name == "train" else short) for name, images in splits.items()}
