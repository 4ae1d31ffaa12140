"""Build DetNet: a ResNet whose last two stages dilate convolutions instead of halving the maps once more.

Source: Li et al. 2018, https://arxiv.org/abs/1804.06215, section 3.2 and figure 2.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from imagelab.problem import Problem

FIRST, COARSEST, LAST = 2, 4, 6  # levels of the maps: the first, the last with a stride of its own, the last
DETNET59: dict[str, Any] = {"width": 64, "depths": [3, 4, 6, 3, 3]}


class Stages(nn.Module):
    """The convolutions of DetNet, up to the stage of the last level.

    Levels 2 to 4 are those of a ResNet. The stages of levels 5 and 6 keep their channels and their size: all
    their 3 x 3 convolutions are dilated by 2, and the first block of each has a 1 x 1 projection.

    Args:
        in_channels: Channels of an image.
        width: Channels of the first convolution; the 3 x 3 convolutions of the stages have 1, 2, 4, 4 and 4
            times as many, and their maps 4 times that.
        depths: Number of blocks in each of the five stages.
        last: Level of the last map, from 2 to 6; later stages are left out.

    Attributes:
        widths: Channels of the map of each level.

    Raises:
        Problem: There are not five stages with blocks.
    """

    def __init__(self, *, in_channels: int, width: int, depths: Sequence[int], last: int) -> None:
        if len(depths) != LAST - FIRST + 1 or min(depths) < 1:
            raise Problem(
                f"model.depths: wants the blocks of five stages, such as [3,4,6,3,3], got {[*depths]}"
            )
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.widths: dict[int, int] = {}
        before = width
        for level, depth in zip(range(FIRST, last + 1), depths, strict=False):
            inside = width * 2 ** (min(level, COARSEST) - FIRST)
            self.add_module(self._name(level), _stage(before, inside, depth, level))
            before = self.widths[level] = inside * Bottleneck.expansion
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """(B, C, H, W) -> level -> map."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        found = {}
        for level in self.widths:
            x = found[level] = self.get_submodule(self._name(level))(x)
        return found

    @staticmethod
    def _name(level: int) -> str:
        return f"layer{level - FIRST + 1}"  # as in torchvision's ResNet


class DetNet(Stages):
    """Classifies images by the mean of the last map.

    Args:
        num_classes: Number of logits, K.
        in_channels: See `Stages`.
        width: See `Stages`.
        depths: See `Stages`.
    """

    def __init__(self, *, num_classes: int, in_channels: int, width: int, depths: Sequence[int]) -> None:
        super().__init__(in_channels=in_channels, width=width, depths=depths, last=LAST)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.widths[LAST], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, K)."""
        return self.fc(self.pool(self.maps(images)[LAST]).flatten(1))


class DetNetMaps(Stages):
    """Returns the maps that a detector looks at.

    Args:
        in_channels: See `Stages`.
        width: See `Stages`.
        depths: See `Stages`.
        levels: Levels of the maps, ascending, from 2 to 6. Strides are 4, 8 and 16 pixels, then always 16.

    Attributes:
        channels: Channels of these maps.

    Raises:
        Problem: There are no such levels.
    """

    def __init__(self, *, in_channels: int, width: int, depths: Sequence[int], levels: Sequence[int]) -> None:
        if not {*levels} <= {*range(FIRST, LAST + 1)}:
            raise Problem(f"model.levels: model.backbone=detnet has levels 2 to 6, got {[*levels]}")
        super().__init__(in_channels=in_channels, width=width, depths=depths, last=levels[-1])
        self.levels = [*levels]
        self.channels = [self.widths[level] for level in levels]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps, the finest first."""
        found = self.maps(images)
        return [found[level] for level in self.levels]


def _stage(before: int, inside: int, depth: int, level: int) -> nn.Sequential:
    """Bottlenecks, the first of which projects its input: B in the paper; the others are A."""
    after = inside * Bottleneck.expansion
    stride = 2 if FIRST < level <= COARSEST else 1
    dilation = 2 if level > COARSEST else 1
    projection = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))
    first = Bottleneck(before, inside, stride, projection, dilation=dilation)
    return nn.Sequential(first, *[Bottleneck(after, inside, dilation=dilation) for _ in range(depth - 1)])
