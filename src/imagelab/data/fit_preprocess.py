"""Choose the preprocessing of a data set: input size and normalisation."""

from dataclasses import replace

from imagelab.contracts import Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.packed import Packed
from imagelab.data.preprocess import Preprocess, resize_of
from imagelab.data.statistics import Statistics, array_statistics, photo_statistics

PHOTO_SIZE = 224  # pixels: the input size of most networks for photos


def fit_preprocess(given: Preprocess | None, size: int | None, train: Images, origin: Images) -> Preprocess:
    """Choose the preprocessing of a run.

    Args:
        given: Preprocessing of the initial weights, if any; its normalisation is kept.
        size: Side of the network's input in pixels. None: the short side of images in memory; for photos the
            given size, or 224.
        train: Training images as they are stored.
        origin: Training images as they came from the source.
    """
    if isinstance(train, Arrays):
        geometry = _array_geometry(given, size, train)
        return geometry if given else _normalising(geometry, array_statistics(train))
    if not isinstance(train, Photos):
        raise TypeError(
            f"training images must be Arrays, or Photos with a `photo` method; got {type(train).__name__}"
        )
    geometry = photo_geometry(given, size)
    files = origin if isinstance(origin, Files | Packed) else None
    return geometry if given else _normalising(geometry, photo_statistics(train, files, geometry))


def photo_geometry(given: Preprocess | None, size: int | None) -> Preprocess:
    """How photos are resized and cropped; without normalisation if no preprocessing is given."""
    if given is None:
        return _plain(size or PHOTO_SIZE, resize_of(size or PHOTO_SIZE), channels=3)
    if size is None or size == given.size:
        return given
    return replace(given, size=size, resize=round(size * given.resize / given.size))


def _array_geometry(given: Preprocess | None, size: int | None, images: Arrays) -> Preprocess:
    side = size or min(images.images.shape[-2:])
    given = given or _plain(side, side, channels=images.images.shape[1])
    return replace(given, size=side, resize=side)


def _plain(size: int, resize: int, channels: int) -> Preprocess:
    return Preprocess(
        size=size,
        channels=channels,
        mean=[0.0] * channels,
        std=[1.0] * channels,
        resize=resize,
        interpolation="bilinear",
    )


def _normalising(geometry: Preprocess, found: Statistics) -> Preprocess:
    return replace(geometry, mean=found.mean, std=found.std)
