"""ResNet's crop: resize the image to a random scale, then cut out a window; gentler than areas down to 8%.

Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 3.4, after Simonyan and Zisserman 2015,
https://arxiv.org/abs/1409.1556, section 3.1 (the short side from [256, 512]).
"""

from torch import Tensor

from imagelab.augment.warp import places, warp
from imagelab.randomness import uniform

WINDOW = 224  # pixels: side of the window in the papers


class ResNet:
    """Resize an image so that its short side has a random length, then cut out a random window.

    The window has the size of the network's input, or of the image if it is in memory. If that is not 224
    pixels, both lengths scale with it: for an input of 112 pixels the short side is drawn from [128, 240].

    Args:
        shortest: Smallest short side, in pixels for a window of 224, >= 224.
        longest: Largest short side, likewise; all whole numbers in between are equally likely.
    """

    def __init__(self, *, shortest: int, longest: int) -> None:
        self.shortest, self.longest = shortest, longest

    def lengths(self, size: int) -> range:
        """All lengths of the short side for a window of `size` pixels.

        >>> ResNet(shortest=256, longest=480).lengths(224), ResNet(shortest=256, longest=480).lengths(112)
        (range(256, 481), range(128, 241))
        """
        return range(round(self.shortest * size / WINDOW), round(self.longest * size / WINDOW) + 1)

    def least(self, size: int) -> int:
        """The short side in pixels that a photo must be decoded to, so that none is enlarged needlessly."""
        return self.lengths(size)[-1]

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        draws = uniform(keys, "resnet", 3)
        short = min(images.shape[-2:])
        lengths = self.lengths(short)
        length = lengths.start + (draws[:, 0] * len(lengths)).long()
        return zoomed(images, length, draws[:, 1], draws[:, 2])

    def transform(self, size: int) -> object:
        """The albumentations transform."""
        import albumentations as A

        from imagelab.augment.photo_scale import PhotoScale

        scale = PhotoScale(max_size=list(self.lengths(size)), p=1.0)
        return A.Sequential([scale, A.RandomCrop(height=size, width=size, p=1.0)], p=1.0)


def zoomed(images: Tensor, length: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Resize each of the images (B, C, H, W) uint8 and cut out a window of (H, W).

    Args:
        images: (B, C, H, W) uint8.
        length: Short side in pixels after resizing, (B,) int64, no smaller than that of the image.
        down: Start of the window, (B,) in [0, 1): from the first to the last possible row.
        right: The same for the columns.
    """
    short = min(images.shape[-2:])
    x, y = places(images)
    across = _taken_from(x, images.shape[-1], length, short, right)
    along = _taken_from(y, images.shape[-2], length, short, down)
    return warp(images, across, along, "edge")


def _taken_from(place: Tensor, side: int, length: Tensor, short: int, draw: Tensor) -> Tensor:
    """Positions in the image of the window's pixels along one axis, both relative to their centres."""
    resized = (side * length / short).round()
    first = (draw * (resized - side + 1)).floor()
    return (place + (first - (resized - side) / 2)[:, None, None]) * (side / resized)[:, None, None]
