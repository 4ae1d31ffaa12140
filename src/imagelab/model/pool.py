"""Replace pooling with fractional max pooling: random regions, drawn per image, that differ in size.

Source: Graham 2014, https://arxiv.org/abs/1412.6071, overlapping regions, placed as in
torch.nn.functional.fractional_max_pool2d, which also draws in evaluation and is imprecise in bfloat16.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagelab.model.replace import replace_layers
from imagelab.model.stages import stages
from imagelab.problem import Problem

MIDDLE = 0.5  # stands for the draw from [0, 1) in evaluation


def set_pool(net: nn.Module) -> None:
    """Replace every downsampling pooling layer, except the head's average, with fractional max pooling.

    Args:
        net: Network, changed in place.

    Raises:
        Problem: The network has no such layer.
    """
    head = [layer for name in stages(net)[-1].modules for layer in net.get_submodule(name).modules()]
    means = [layer for layer in head if isinstance(layer, nn.AvgPool2d)]
    if not replace_layers(net, lambda layer: None if layer in means else _fractional(layer)):
        raise Problem(
            f"model.pool=fractional_max replaces MaxPool2d and AvgPool2d layers with a stride, and "
            f"{type(net).__name__} has none; keep model.pool=default."
        )


class FractionalMaxPool(nn.Module):
    """Max pooling (B, C, H, W) -> (B, C, H', W') over overlapping random regions; fixed ones in evaluation.

    Regions are at least one pixel larger than the stride: otherwise halving would leave nothing to draw.

    Args:
        asked: Pooling layer to replace; it sets the output size.
    """

    def __init__(self, *, asked: nn.MaxPool2d | nn.AvgPool2d) -> None:
        super().__init__()
        self.asked = asked
        kernel, stride = _pair(asked.kernel_size), _pair(asked.stride)
        self.sides = [max(side, step + 1) for side, step in zip(kernel, stride, strict=True)]

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H', W')."""
        batch, channels, *before = maps.shape
        after = self.asked(torch.empty(1, 1, *before, device="meta")).shape[-2:]
        sides = [min(side, n - m + 1) for side, n, m in zip(self.sides, before, after, strict=True)]
        draws = torch.rand(batch, 2, device=maps.device) if self.training else _middle(maps)
        rows, columns = (starts(draws[:, i], before[i], after[i], sides[i]) for i in (0, 1))
        with torch.no_grad():  # find the largest value of every region, then select the drawn regions
            _, best = F.max_pool2d(maps, sides, stride=1, return_indices=True)
            best = best.gather(2, rows[:, None, :, None].expand(-1, channels, -1, best.shape[3]))
            best = best.gather(3, columns[:, None, None, :].expand(-1, channels, after[0], -1))
        pooled = maps.flatten(2).gather(2, best.flatten(2)).view(batch, channels, *after)
        flat = maps.is_contiguous()
        return pooled if flat else pooled.contiguous(memory_format=torch.channels_last)


def starts(draws: Tensor, before: int, after: int, side: int) -> Tensor:
    """Where the regions of each image start along one dimension: draws (B,) in [0, 1) -> (B, after) int64."""
    last = before - side
    step = last / max(after - 1, 1)
    places = torch.arange(after, device=draws.device)
    found = ((places + draws[:, None]) * step).long() - (draws[:, None] * step).long()
    found[:, -1] = last
    return found


def _middle(maps: Tensor) -> Tensor:
    return torch.full((maps.shape[0], 2), MIDDLE, device=maps.device)


def _fractional(layer: nn.Module) -> nn.Module | None:
    if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d) or max(_pair(layer.stride)) == 1:
        return None
    return FractionalMaxPool(asked=layer)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
