"""Compute mean and standard deviation of each channel of the training images; cached for files."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from imagelab.contracts import Photos
from imagelab.data.arrays import Arrays
from imagelab.data.cache import cache_folder, read_record, write_record
from imagelab.data.files import Files
from imagelab.data.packed import Packed
from imagelab.data.parallel import map_in_threads
from imagelab.data.preprocess import Preprocess, with_channels
from imagelab.data.shrunk import Shrunk

MOST = 2000  # photos to read: spread over the whole set, and read in seconds
CHUNK = 4096  # images counted at once
LEAST_STD = 1e-3  # for a channel with a single value


class Statistics(NamedTuple):
    """Mean and standard deviation of each channel, in [0, 1]."""

    mean: list[float]
    std: list[float]


def array_statistics(images: Arrays, channels: int | None = None) -> Statistics:
    """Statistics of all images; kept for those that are mapped from a cached file.

    Args:
        images: Training images.
        channels: Number of channels that the network sees; None: as many as the images have.
    """
    own = images.images.shape[1]
    channels = channels or own
    key = images.store and (images.store if channels == own else f"{images.store}-{channels}")
    return _remembered(key, lambda: _of_all(images, channels)) if key else _of_all(images, channels)


def photo_statistics(photos: Photos, files: Files | Packed | None, geometry: Preprocess) -> Statistics:
    """Statistics of the centres of at most 2,000 photos, as the network sees them.

    Args:
        photos: Training images.
        files: Their files: the result is cached until they change. None: no cache.
        geometry: Preprocessing that crops the centres, or shrinks and pads whole photos.
    """
    places = np.unique(np.linspace(0, len(photos) - 1, MOST).round().astype(np.int64))
    if files is None:
        return _count(photos, places, geometry)
    more = [geometry.channels] if geometry.channels != 3 else []
    more += ["whole"] if geometry.whole else []  # added only then, so that older records stay valid
    key = files.select(places).key(_storage_name(photos), geometry.size, geometry.resize, *more)
    return _remembered(key, lambda: _count(photos, places, geometry))


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


def _of_all(images: Arrays, channels: int) -> Statistics:
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for chunk in images.images.split(CHUNK):
        counts += count_values(_seen(chunk, channels))
    return from_counts(counts)


def _remembered(key: str, count: Callable[[], Statistics]) -> Statistics:
    """What was counted under this key before, or is counted now."""
    record = cache_folder("statistics") / f"{key}.json"
    known = read_record(record)
    if known is None:
        known = count()._asdict()
        write_record(record, known)
    return Statistics(**known)


def _storage_name(photos: Photos) -> str:
    """The way the photos are stored, as far as it changes pixels: for shrunk photos, the file."""
    return photos.store.name if isinstance(photos, Shrunk) else type(photos).__name__


def _count(photos: Photos, places: np.ndarray, geometry: Preprocess) -> Statistics:
    def counts(place: int) -> Tensor:
        centre = geometry.centre(photos.photo(place, geometry.resize))
        pixels = torch.from_numpy(np.ascontiguousarray(centre)).permute(2, 0, 1)[None]
        return count_values(_seen(pixels, geometry.channels))

    return from_counts(torch.stack(list(map_in_threads(counts, places.tolist()))).sum(0))


def _seen(images: Tensor, channels: int) -> Tensor:
    """(B, C, H, W) uint8 -> (B, channels, H, W) uint8."""
    if images.shape[1] == channels:
        return images
    return with_channels(images.float(), channels).round().to(torch.uint8)
