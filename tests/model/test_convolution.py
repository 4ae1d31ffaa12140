"""The shapes of the small networks' convolutions."""

import pytest
import torch
from torch import nn

from imagelab.model.convolution import convolution

# Side of what an output sees, and weights per pair of channels.
SHAPES = {1: (1, 1), 3: (3, 9), 5: (5, 25), 7: (7, 49), "1x3": (3, 6), "1x5": (5, 10), "1x7": (7, 14)}


@pytest.mark.parametrize("kernel", SHAPES)
def test_an_output_sees_a_square_and_a_row_then_a_column_see_as_much_with_fewer_weights(kernel):
    side, weights = SHAPES[kernel]
    layers = nn.Sequential(*convolution(4, 4, kernel)).eval()
    image = torch.rand(1, 4, 15, 15, requires_grad=True)
    maps = layers(image)
    assert maps.shape == image.shape
    pre = nn.Sequential(*(layer for layer in layers if isinstance(layer, nn.Conv2d)))(image)
    pre[0, :, 7, 7].sum().backward()
    assert image.grad is not None
    assert (image.grad[0] != 0).any(dim=0).sum() == side**2
    assert sum(layer.weight.numel() for layer in layers if isinstance(layer, nn.Conv2d)) == 16 * weights
