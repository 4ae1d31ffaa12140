"""Images that keep their names while a data set is split: their file, or their place in the source."""

import os
from collections.abc import Mapping

import numpy as np

from imagelab.contracts import Images
from imagelab.data.files import Files

Source = Mapping[str, Images]


class Named:
    """Images, each with the place that it has in the source.

    Args:
        images: N images.
        origins: (N,) str, the source's split that each is from.
        places: (N,) int64, in that split.
        source: All images of the source, by split.
    """

    def __init__(self, images: Images, origins: np.ndarray, places: np.ndarray, source: Source) -> None:
        self.images, self.origins, self.places, self.source = images, origins, places, source

    def __len__(self) -> int:
        return len(self.places)

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64."""
        return self.images.labels

    @property
    def names(self) -> list[str]:
        """Of each image its file, relative to the folder of all; else its split and place: train/17."""
        if isinstance(self.images, Files):
            above = folder_of(self.source)
            return [str(path).removeprefix(above).replace(os.sep, "/") for path in self.images.paths]
        return [f"{origin}/{place}" for origin, place in zip(self.origins, self.places.tolist(), strict=True)]

    def select(self, index: np.ndarray) -> "Named":
        """The images at these places, in this order."""
        return Named(self.images.select(index), self.origins[index], self.places[index], self.source)

    def relabel(self, labels: np.ndarray) -> "Named":
        """The same images with other labels, (N,) int64."""
        return Named(self.images.relabel(labels), self.origins, self.places, self.source)


def named(source: Source) -> dict[str, Named]:
    """The images of a source, as they come."""
    return {
        split: Named(images, np.full(len(images), split), np.arange(len(images)), source)
        for split, images in source.items()
    }


def folder_of(source: Source) -> str:
    """The folder that all files of a source lie in, a separator at its end; empty where there is none."""
    found = [images.paths for images in source.values() if isinstance(images, Files)]
    ends = [str(end(paths.tolist())) for paths in found for end in (min, max) if len(paths)]
    # What the first and the last share in the order of the alphabet, all between them share.
    return os.path.join(os.path.commonpath(map(os.path.dirname, ends)), "") if ends else ""  # noqa: PTH118
