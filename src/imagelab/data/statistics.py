"""Mean and standard deviation of each channel of the training images, remembered for files."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from imagelab.contracts import Photos
from imagelab.data.arrays import Arrays
from imagelab.data.cache import cache_folder, content_key, read_record, write_record
from imagelab.data.parallel import each
from imagelab.data.preprocess import Preprocess
from imagelab.data.shrunk import Shrunk

MOST = 2000  # photos that are looked at: spread over the whole set, and read in seconds
CHUNK = 4096  # images counted at once
LEAST_STD = 1e-3  # where a channel holds one value only


class Statistics(NamedTuple):
    """Of each channel, in [0, 1]."""

    mean: list[float]
    std: list[float]


def array_statistics(images: Arrays) -> Statistics:
    """Of all images."""
    channels = images.images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for chunk in images.images.split(CHUNK):
        counts += count_values(chunk)
    return from_counts(counts)


def photo_statistics(photos: Photos, paths: np.ndarray | None, geometry: Preprocess) -> Statistics:
    """Of the centres of at most 2,000 photos, as the network sees them.

    Args:
        photos: The training images.
        paths: Their files: what was counted is remembered until they change. None: it is not.
        geometry: How the centres are cut out.
    """
    places = np.unique(np.linspace(0, len(photos) - 1, MOST).round().astype(np.int64))
    if paths is None:
        return _counted(photos, places, geometry)
    key = content_key(paths[places], _kept(photos), geometry.size, geometry.resize)
    record = cache_folder("statistics") / f"{key}.json"
    known = read_record(record)
    if known is None:
        known = _counted(photos, places, geometry)._asdict()
        write_record(record, known)
    return Statistics(**known)


def count_values(images: Tensor) -> Tensor:
    """(B, C, H, W) uint8 -> (C, 256) int64: how often each value occurs in each channel."""
    return torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)])


def from_counts(counts: Tensor) -> Statistics:
    """(C, 256) counts of values -> mean and standard deviation of each channel.

    >>> from_counts(torch.eye(256, dtype=torch.int64)[[0, 255]].sum(0, keepdim=True))
    Statistics(mean=[0.5], std=[0.5])
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    shares = counts.double() / counts.sum(1, keepdim=True)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(1)
    return Statistics(mean.tolist(), variance.sqrt().clamp(min=LEAST_STD).tolist())


def _kept(photos: Photos) -> str:
    """In which form, as far as it shows in the pixels: shrunk to more or to less."""
    return photos.store.name if isinstance(photos, Shrunk) else type(photos).__name__


def _counted(photos: Photos, places: np.ndarray, geometry: Preprocess) -> Statistics:
    def counts(place: int) -> Tensor:
        centre = geometry.centre(photos.photo(place, geometry.resize))
        return count_values(torch.from_numpy(np.ascontiguousarray(centre)).permute(2, 0, 1)[None])

    return from_counts(torch.stack(list(each(counts, places.tolist()))).sum(0))
