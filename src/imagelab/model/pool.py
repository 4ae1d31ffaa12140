"""Replace pooling with fractional max pooling: random regions, drawn per image, that differ in size.

Source: Graham 2014, https://arxiv.org/abs/1412.6071, overlapping regions, placed as in
torch.nn.functional.fractional_max_pool2d, which also draws in evaluation and is imprecise in bfloat16.
"""

import math
from collections.abc import Iterator
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagelab.model.replace import replace_layers
from imagelab.model.stages import stages
from imagelab.problem import Problem

MIDDLE = 0.5  # stands for the draw from [0, 1) in evaluation
PROBE = 96  # side of the image that finds the channels at each pooling; enough for every network
Pool = nn.MaxPool2d | nn.AvgPool2d


def set_pool(net: nn.Module, ratio: float | None = None) -> None:
    """Replace every downsampling pooling layer, except the head's average, with fractional max pooling.

    Args:
        net: Network, changed in place.
        ratio: Side of the maps before a pooling to that after it, in (1, 2). A pooling of stride 2 becomes as
            many of these as make up for it, log 2 / log ratio, with a convolution between two. None: poolings
            keep the size of their output.

    Raises:
        Problem: The network has no such layer, or other layers expect maps of the former size.
    """
    head = [layer for name in stages(net)[-1].modules for layer in net.get_submodule(name).modules()]
    pools = [layer for layer in net.modules() if _shrinks(layer) and not _is_mean_of(head, layer)]
    if not pools:
        raise Problem(
            f"model.pool=fractional_max replaces MaxPool2d and AvgPool2d layers with a stride, and "
            f"{type(net).__name__} has none; keep model.pool=default."
        )
    new: dict[nn.Module, nn.Module]
    if ratio is None:
        new = {pool: FractionalMaxPool(asked=pool) for pool in pools}
    else:
        channels = _channels_at(net, pools)
        new = {pool: nn.Sequential(*_chain(pool, ratio, channels[pool])) for pool in channels}
    replace_layers(net, new.get)
    if ratio is not None:
        _channels_at(net, [])


class FractionalMaxPool(nn.Module):
    """Max pooling (B, C, H, W) -> (B, C, H', W') over overlapping random regions; fixed ones in evaluation.

    Regions are at least one pixel larger than the stride: otherwise halving would leave nothing to draw.

    Args:
        asked: Pooling layer to replace, which sets the output size; or a ratio in (1, 2), by which the size
            is divided: steps of one and two pixels, in random order, over regions of 2 x 2.
    """

    def __init__(self, *, asked: Pool | float) -> None:
        super().__init__()
        self.asked = asked
        self.sides = [2, 2]
        if isinstance(asked, Pool):
            kernel, stride = _pair(asked.kernel_size), _pair(asked.stride)
            self.sides = [max(side, step + 1) for side, step in zip(kernel, stride, strict=True)]

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H', W')."""
        batch, channels, *before = maps.shape
        after = self._sides_after(before)
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

    def _sides_after(self, before: list[int]) -> list[int]:
        if isinstance(self.asked, Pool):
            return list(self.asked(torch.empty(1, 1, *before, device="meta")).shape[-2:])
        return [max(1, round(side / self.asked)) for side in before]


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


def _chain(pool: Pool, ratio: float, channels: int) -> Iterator[nn.Module]:
    """Poolings by a ratio that together shrink as much as another, with a convolution between two."""
    count = max(1, round(math.log(max(_pair(pool.stride))) / math.log(ratio)))
    for place in range(count):
        if place:
            yield nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
            yield nn.BatchNorm2d(channels)
            yield nn.ReLU(inplace=True)
        yield FractionalMaxPool(asked=ratio)


@torch.no_grad()
def _channels_at(net: nn.Module, pools: list[Pool]) -> dict[Pool, int]:
    """The number of channels at each pooling that an image reaches."""
    found: dict[Pool, int] = {}
    hooks = [
        pool.register_forward_pre_hook(lambda pool, given: found.update({pool: given[0].shape[1]}))
        for pool in pools
    ]
    first = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    mode = net.training
    try:
        net.eval()(torch.zeros(1, first.in_channels, PROBE, PROBE))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise Problem(
            f"model.pool_ratio: {type(net).__name__} does not fit maps of other sizes; leave it out."
        ) from error
    finally:
        net.train(mode)
        for hook in hooks:
            hook.remove()
    return found


def _shrinks(layer: nn.Module) -> TypeGuard[Pool]:
    return isinstance(layer, Pool) and max(_pair(layer.stride)) > 1


def _is_mean_of(head: list[nn.Module], layer: nn.Module) -> bool:
    return layer in head and isinstance(layer, nn.AvgPool2d)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
