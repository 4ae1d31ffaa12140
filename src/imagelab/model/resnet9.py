"""Build a ResNet-9: a small, fast residual network for CIFAR-sized images.

Source: David Page 2018, https://github.com/davidcpage/cifar10-fast, the DAWNBench entry.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from imagelab.model.convolution import Kernel, convolution

Join = Literal["add", "concat", "multiply"]


class ResNet9(nn.Module):
    """Four convolutions, the last three with pooling; residual blocks after the second and the fourth.

    Args:
        num_classes: Number of logits, K.
        in_channels: Channels of an image, which must be at least 8 x 8.
        width: Channels of the first convolution; each later one doubles them.
        kernel_size: Side of each convolution in pixels, or 1x7 (see `convolution`).
        join: See `Residual`.
        logit_scale: Factor on the logits, > 0; below 1 for a smoother start.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        width: int,
        kernel_size: Kernel,
        join: Join,
        logit_scale: float,
    ) -> None:
        super().__init__()
        wider = 2 if join == "concat" else 1

        def conv(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(*convolution(before, after, kernel_size))

        def residual(channels: int) -> Residual:
            return Residual(nn.Sequential(conv(channels, channels), conv(channels, channels)), join=join)

        self.prep = conv(in_channels, width)
        self.layer1 = nn.Sequential(conv(width, 2 * width), nn.MaxPool2d(2), residual(2 * width))
        self.layer2 = nn.Sequential(conv(2 * width * wider, 4 * width), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(conv(4 * width, 8 * width), nn.MaxPool2d(2), residual(8 * width))
        self.head = nn.Linear(8 * width * wider, num_classes, bias=False)
        self.logits = Scale(logit_scale)  # a layer, so that the head is a chain of them

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, K)."""
        features = self.layer3(self.layer2(self.layer1(self.prep(images))))
        return self.logits(self.head(features.amax(dim=(2, 3))))


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return self.factor * x


class Residual(nn.Module):
    """Joins x and a branch from x.

    Args:
        branch: Layers (B, C, H, W) -> the same shape.
        join: add; concat, which doubles the channels; or multiply, in which the branch scales x, by 1 where
            it is silent.
    """

    def __init__(self, branch: nn.Module, *, join: Join) -> None:
        super().__init__()
        self.branch = branch
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape, or (B, 2C, H, W)."""
        if self.join == "concat":
            return torch.cat([x, self.branch(x)], dim=1)
        return x + self.branch(x) if self.join == "add" else x * (1 + self.branch(x))
