"""Put extra pictures behind the training images: pixels behind pixels, files behind photos of any kind."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from imagelab.contracts import Images, Least, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.copies import refuse_copies
from imagelab.data.extra import Joining
from imagelab.data.files import Files
from imagelab.data.memory import SPARE
from imagelab.data.named import Named
from imagelab.data.parallel import map_in_threads
from imagelab.data.preprocess import with_channels
from imagelab.data.resize import covered
from imagelab.data.splits import Splits


class Chain:
    """Photos that are kept in two ways, one after the other.

    Args:
        parts: First and second kind of photos.
        labels: Labels of the N photos, as in `contracts.Images`.
        places: Place of each photo in both kinds together, (N,) int64.
    """

    def __init__(self, parts: tuple[Photos, Photos], labels: np.ndarray, places: np.ndarray) -> None:
        self.parts, self.labels, self.places = parts, labels, places

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, place: int, least: Least) -> np.ndarray:
        """The photo at this place, as in `contracts.Photos`."""
        first, second = self.parts
        place = int(self.places[place])
        return first.photo(place, least) if place < len(first) else second.photo(place - len(first), least)

    def select(self, index: np.ndarray) -> "Chain":
        """The photos at these places, in this order."""
        return Chain(self.parts, self.labels[index], self.places[index])

    def relabel(self, labels: np.ndarray) -> "Chain":
        """The same photos with other labels."""
        return Chain(self.parts, labels, self.places)


def join_extra(splits: Splits, named: Mapping[str, Named], joining: Joining | None) -> Splits:
    """Put extra images behind the training images.

    Args:
        splits: Splits as they are kept during a run.
        named: The same splits as they came from the source.
        joining: Extra images; None: none.

    Raises:
        Problem: One of them is a copy of an image that is held out.
    """
    if joining is None:
        return splits
    train = splits["train"]
    files = joining.files
    labels = np.concatenate([train.labels, files.labels])
    if isinstance(train, Arrays):
        more = Arrays(decode_like(files, train.images), files.labels)
        both: Images = Arrays(torch.cat([train.images, more.images]), labels)
    else:
        assert isinstance(train, Photos)
        more = None
        both = Chain((train, files), labels, np.arange(len(labels)))
    refuse_copies(files, more.contents() if more else None, named, "data.extra")
    return splits | {"train": both}


def decode_like(files: Files, images: Tensor) -> Tensor:
    """Pictures as (N, C, H, W) uint8, with the channels and size of the images; cropped if need be."""
    channels, height, width = images.shape[1:]
    read = partial(_pixels, files, height=height, width=width)
    pixels = np.empty((len(files), height, width, 3), np.uint8)
    for place, picture in enumerate(map_in_threads(read, range(len(files)))):
        pixels[place] = picture
    found = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    if channels == found.shape[1]:
        return found
    return with_channels(found.float(), channels).round().to(torch.uint8)


def _pixels(files: Files, place: int, height: int, width: int) -> np.ndarray:
    return covered(files.photo(place, SPARE * min(height, width)), height, width)
