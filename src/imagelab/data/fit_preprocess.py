"""Choose the preprocessing of a data set: input size and normalisation."""

from dataclasses import replace

from imagelab.contracts import Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.packed import Packed
from imagelab.data.preprocess import Preprocess, resize_of
from imagelab.data.statistics import Statistics, array_statistics, photo_statistics
from imagelab.data.visible import EVERYTHING, Visible

PHOTO_SIZE = 224  # pixels: the input size of most networks for photos


def fit_preprocess(
    given: Preprocess | None,
    size: int | None,
    train: Images,
    origin: Images,
    visible: Visible = EVERYTHING,
    *,
    whole: bool = False,
) -> Preprocess:
    """Choose the preprocessing of a run.

    Args:
        given: Preprocessing of the initial weights, if any; its normalisation is kept.
        size: Side of the network's input in pixels. None: the short side of images in memory; for photos the
            given size, or 224.
        train: Training images as they are stored.
        origin: Training images as they came from the source.
        visible: What the network sees of them.
        whole: Whether images are shrunk and padded instead of cropped, for boxes.
    """
    if isinstance(train, Arrays):
        geometry = visible.seen(_array_geometry(given, size, train, visible, whole))
        return geometry if given else _normalising(geometry, array_statistics(train, geometry.channels))
    if not isinstance(train, Photos):
        raise TypeError(
            f"training images must be Arrays, or Photos with a `photo` method; got {type(train).__name__}"
        )
    geometry = photo_geometry(given, size, visible, whole=whole)
    files = origin if isinstance(origin, Files | Packed) else None
    return geometry if given else _normalising(geometry, photo_statistics(train, files, geometry))


def photo_geometry(
    given: Preprocess | None, size: int | None, visible: Visible = EVERYTHING, *, whole: bool = False
) -> Preprocess:
    """How photos are resized and cropped; without normalisation if no preprocessing is given."""
    if whole:
        side = size or (given.size if given else PHOTO_SIZE)
        return visible.seen(
            replace(given or _plain(side, side, channels=3), size=side, resize=side, whole=True)
        )
    if given is None:
        return visible.seen(_plain(size or PHOTO_SIZE, resize_of(size or PHOTO_SIZE), channels=3))
    if size is None or size == given.size:
        return visible.seen(given)
    return visible.seen(replace(given, size=size, resize=round(size * given.resize / given.size)))


def centred(preprocess: Preprocess) -> Preprocess:
    """The same size and channels, with pixels in [-1, 1] instead of standardised ones."""
    half = [0.5] * preprocess.channels
    return replace(preprocess, mean=half, std=half)


def _array_geometry(
    given: Preprocess | None, size: int | None, images: Arrays, visible: Visible, whole: bool
) -> Preprocess:
    side = visible.side((max if whole else min)(images.images.shape[-2:]), size)
    given = given or _plain(side, side, channels=images.images.shape[1])
    return replace(given, size=side, resize=side, whole=whole)


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
