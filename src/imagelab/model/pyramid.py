# room: detection
"""Build what is below a detector's heads: a classifier's feature maps, and a feature pyramid on them.

Source: Lin et al. 2017, https://arxiv.org/abs/1612.03144, section 3; torchvision's implementation.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork

from imagelab.model.backbone import backbone_of
from imagelab.problem import Problem


class Pyramid(nn.Module):
    """Maps images to feature maps of one width, named by their levels.

    Args:
        body: Images (B, C, H, W) -> a map for each level, the finest first.
        channels: Channels of these maps.
        levels: Levels of the maps.
        width: Channels of the pyramid.
        norm: Layer after each convolution of the pyramid; None: none.
    """

    def __init__(
        self,
        *,
        body: nn.Module,
        channels: list[int],
        levels: Sequence[int],
        width: int,
        norm: type[nn.Module] | None,
    ) -> None:
        super().__init__()
        self.body = body
        self.names = [str(level) for level in levels]
        self.merge = FeaturePyramidNetwork(channels, width, norm_layer=norm)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) -> level -> (B, width, H / 2^level, W / 2^level)."""
        return self.merge(OrderedDict(zip(self.names, self.body(images), strict=True)))


class Handed(nn.Module):
    """Stands for the backbone of torchvision's detectors, which are handed their feature maps instead.

    Args:
        width: Channels of the maps.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = width


def pyramid(
    backbone: str,
    args: Mapping[str, Any],
    pretrained: bool,
    in_channels: int,
    *,
    levels: Sequence[int],
    width: int,
    norm: str,
) -> Pyramid:
    """Build a pyramid on a backbone.

    Args:
        backbone: Name of the network; see `backbone_of`.
        args: Further arguments of that network.
        pretrained: Whether it starts from ImageNet weights.
        in_channels: Channels of an image.
        levels: Levels, ascending and without gaps.
        width: Channels of the pyramid.
        norm: See `norm_layer`.

    Raises:
        Problem: The levels leave gaps, or the network does not have them.
    """
    if [*levels] != [*range(levels[0], levels[0] + len(levels))] if levels else True:
        raise Problem(f"model.levels: wants ascending numbers without gaps, such as [3,4,5], got {[*levels]}")
    body, channels = backbone_of(backbone, args, pretrained, in_channels, levels)
    return Pyramid(body=body, channels=channels, levels=levels, width=width, norm=norm_layer(norm))


def norm_layer(norm: str) -> type[nn.Module] | None:
    """The norm of pyramid and heads, which `set_norm` replaces like that of the backbone; default: none."""
    return None if norm == "default" else nn.BatchNorm2d
