"""Keep track of each image while a data set is split: by its file, or by its place in the source."""

import os
from collections.abc import Mapping

import numpy as np

from imagelab.contracts import Images
from imagelab.data.content import contents_of
from imagelab.data.files import Files

Source = Mapping[str, Images]


class Named:
    """Images that know their place in the source.

    Args:
        images: N images.
        origins: (N,) str, the source split of each image.
        places: (N,) int64, the place of each image in that split.
        contents: (N,) uint64, the number of each image's content.
        source: All images of the source, by split.
    """

    def __init__(
        self, images: Images, origins: np.ndarray, places: np.ndarray, contents: np.ndarray, source: Source
    ) -> None:
        self.images = images
        self.origins = origins
        self.places = places
        self.contents = contents
        self.source = source

    def __len__(self) -> int:
        return len(self.places)

    @property
    def labels(self) -> np.ndarray:
        """Those of `contracts.Images`."""
        return self.images.labels

    @property
    def groups(self) -> np.ndarray | None:
        """The number of what must stay on one side, (N,) uint64; None: only copies must."""
        return self.images.groups if isinstance(self.images, Files) else None

    @property
    def names(self) -> list[str]:
        """The name of each image: its file relative to the common folder, or else split/place (train/17)."""
        if isinstance(self.images, Files):
            above = folder_of(self.source)
            return [path.removeprefix(above).replace(os.sep, "/") for path in self.images.paths]
        return [f"{origin}/{place}" for origin, place in zip(self.origins, self.places.tolist(), strict=True)]

    def select(self, index: np.ndarray) -> "Named":
        """The images at these places, in this order."""
        origins, places, contents = (fact[index] for fact in (self.origins, self.places, self.contents))
        return Named(self.images.select(index), origins, places, contents, self.source)

    def relabel(self, labels: np.ndarray) -> "Named":
        """The same images with other labels."""
        return Named(self.images.relabel(labels), self.origins, self.places, self.contents, self.source)


def named(source: Source) -> dict[str, Named]:
    """The images of a source with their names, by split."""
    return {
        split: Named(images, np.full(len(images), split), np.arange(len(images)), contents_of(images), source)
        for split, images in source.items()
    }


def folder_of(source: Source) -> str:
    """The common folder of all files of a source, with a separator at its end; "" if there is none."""
    found = [images.paths.tolist() for images in source.values() if isinstance(images, Files)]
    ends = [end(paths) for paths in found for end in (min, max) if paths]
    # The first and the last path in alphabetical order share what all paths share.
    return os.path.join(os.path.commonpath(map(os.path.dirname, ends)), "") if ends else ""  # noqa: PTH118
