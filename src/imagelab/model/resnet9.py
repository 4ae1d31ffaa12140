"""Build a ResNet-9: a small, fast residual network for CIFAR-sized images.

Source: David Page 2018, https://github.com/davidcpage/cifar10-fast, the DAWNBench entry.
"""

from torch import Tensor, nn


class ResNet9(nn.Module):
    """Four convolutions, the last three with pooling; residual blocks after the second and the fourth.

    Args:
        num_classes: Number of logits, K.
        in_channels: Channels of an image, which must be at least 8 x 8.
        width: Channels of the first convolution; each later one doubles them.
        logit_scale: Factor on the logits, > 0; below 1 for a smoother start.
    """

    def __init__(self, *, num_classes: int, in_channels: int, width: int, logit_scale: float) -> None:
        super().__init__()
        self.prep = _conv(in_channels, width)
        self.layer1 = nn.Sequential(_conv(width, 2 * width), nn.MaxPool2d(2), Residual(2 * width))
        self.layer2 = nn.Sequential(_conv(2 * width, 4 * width), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(_conv(4 * width, 8 * width), nn.MaxPool2d(2), Residual(8 * width))
        self.head = nn.Linear(8 * width, num_classes, bias=False)
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
    """x + two convolutions of x, each with norm and activation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_conv(channels, channels), _conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return x + self.branch(x)


def _conv(before: int, after: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))
