# room: detection
"""A small residual network for feature maps: for small images, and for a first run on a CPU."""

from collections.abc import Sequence

from torch import Tensor, nn

FIRST = 16  # channels of the first map
MOST = 256  # channels of the last maps


class SmallBackbone(nn.Module):
    """Halves the image level by level, doubles the channels, with a residual block from the second level on.

    Args:
        in_channels: Channels of an image.
        levels: Levels of the maps to return, ascending from 1: level n has a stride of 2^n pixels.
    """

    def __init__(self, *, in_channels: int, levels: Sequence[int]) -> None:
        super().__init__()
        widths = [min(MOST, FIRST * 2**place) for place in range(levels[-1])]
        self.stages = nn.ModuleList()
        for place, (before, after) in enumerate(zip([in_channels, *widths], widths, strict=False)):
            block = [Block(after)] if place else []
            self.stages.append(nn.Sequential(*_convolution(before, after, 2), *block))
        self.levels = [*levels]
        self.channels = [widths[level - 1] for level in levels]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps, the finest first."""
        maps = [images]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return [maps[level] for level in self.levels]


class Block(nn.Module):
    """Adds two convolutions of a map to it.

    Args:
        channels: Channels of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(channels, channels, 1), *_convolution(channels, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return x + self.branch(x)


def _convolution(before: int, after: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
