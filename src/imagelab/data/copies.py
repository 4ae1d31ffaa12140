"""Refuse pictures that would be trained on and are copies of held-out images, however they are compressed."""

from collections.abc import Mapping

import numpy as np

from imagelab.contracts import Photos
from imagelab.data.arrays import Arrays
from imagelab.data.content import pixel_digest
from imagelab.data.files import Files
from imagelab.data.memory import read_sizes
from imagelab.data.named import Named
from imagelab.data.packed import Packed
from imagelab.data.parallel import map_in_threads
from imagelab.problem import Problem, some_of


def refuse_copies(files: Files, pixels: np.ndarray | None, named: Mapping[str, Named], key: str) -> None:
    """Raise a Problem if pictures that would be trained on are copies of held-out images.

    Copies that are resized, cropped or compressed with losses differ in pixels, and pass.

    Args:
        files: The pictures.
        pixels: A hash of the pixels of each as they are kept in memory, (N,) uint64; None: they are not.
        named: Splits of the run as they came from the source.
        key: Config key that named the pictures, for the message.
    """
    for split in (split for split in named if split != "train"):
        part = named[split].images
        if isinstance(part, Files | Packed):
            copies = copies_among(files, part)
        else:
            own = pixels if pixels is not None and isinstance(part, Arrays) else files.contents()
            copies = np.flatnonzero(np.isin(own, named[split].contents))
        if len(copies):
            names = some_of([files.paths[place] for place in copies[:3].tolist()])
            raise Problem(
                f"{key}: {len(copies):,} images are copies of images of {split}, which would be trained "
                f"on ({names}); remove them"
            )


def copies_among(files: Files, others: Files | Packed) -> np.ndarray:
    """The places of the pictures whose bytes or pixels equal those of another one.

    Only pictures of a size that occurs on both sides are decoded.
    """
    sizes, theirs = (_as_numbers(read_sizes(one)) for one in (files, others))
    mine = np.flatnonzero(np.isin(sizes, theirs) & ~np.isin(files.contents(), others.contents()))
    known = _pixels_of(others, np.flatnonzero(np.isin(theirs, sizes[mine])))
    same = np.isin(files.contents(), others.contents())
    same[mine] = np.isin(_pixels_of(files, mine), known)
    return np.flatnonzero(same)


def _as_numbers(sizes: np.ndarray) -> np.ndarray:
    return sizes[:, 0].astype(np.int64) << 32 | sizes[:, 1]


def _pixels_of(photos: Photos, places: np.ndarray) -> np.ndarray:
    """A hash of the pixels of each of these pictures, (N,) uint64."""
    found = map_in_threads(lambda place: pixel_digest(photos.photo(int(place), None)), places)
    return np.fromiter(found, np.uint64, len(places))
