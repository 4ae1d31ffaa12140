"""Make the convolutions of the small networks, in several shapes.

Source: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 3.2, for a row and a column in turn.
"""

from collections.abc import Iterator
from typing import Literal

from torch import nn

Kernel = Literal[1, 3, 5, 7, "1x3", "1x5", "1x7"]


def convolution(before: int, after: int, kernel: Kernel) -> Iterator[nn.Module]:
    """The layers of a convolution (B, before, H, W) -> (B, after, H, W), each with norm and activation.

    Args:
        before: Channels of the input.
        after: Channels of the output.
        kernel: Side in pixels; or 1x7: 1 x 7, then 7 x 1, which sees as much with fewer weights.
    """
    shapes = [(kernel, kernel)] if isinstance(kernel, int) else [(1, int(kernel[2])), (int(kernel[2]), 1)]
    for shape in shapes:
        padding = (shape[0] // 2, shape[1] // 2)
        yield nn.Conv2d(before, after, kernel_size=shape, padding=padding, bias=False)
        yield nn.BatchNorm2d(after)
        yield nn.ReLU(inplace=True)
        before = after
