"""Build a small convolutional network for small images."""

from collections.abc import Sequence

from torch import Tensor, nn

from imagelab.model.convolution import Kernel, convolution
from imagelab.problem import Problem


class SmallCNN(nn.Module):
    """Convolutions with norm and activation, pooling between them, global average, linear layer.

    Args:
        num_classes: Number of logits, K.
        in_channels: Channels of an image, which may be of any size.
        widths: Output channels of each convolution.
        kernel_size: Side of each convolution in pixels, or 1x7 (see `convolution`).
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, widths: Sequence[int], kernel_size: Kernel
    ) -> None:
        if not widths:
            raise Problem("model.widths: wants the channels of one convolution or more, got none")
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            if layers:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += convolution(channels, width, kernel_size)
            channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, K)."""
        return self.head(self.pool(self.features(images)).flatten(1))
