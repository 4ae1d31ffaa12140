"""How weights start: their spread, by scheme."""

from math import sqrt

import pytest
import torch
from torch import nn

from imagelab.model.init import init_weights
from imagelab.model.torchvision import torchvision_model
from scripts.pictures import activations

FAN_IN, FAN_OUT = 64 * 9, 128 * 9  # of the convolution below

SPREADS = {
    "xavier_uniform": sqrt(2 / (FAN_IN + FAN_OUT)),
    "xavier_normal": sqrt(2 / (FAN_IN + FAN_OUT)),
    "kaiming_uniform": sqrt(2 / FAN_IN),
    "kaiming_normal": sqrt(2 / FAN_IN),
    "trunc_normal": 0.02,
    "small": 0.01,
    "large": 1.0,
}


def drawn(scheme, layer):
    torch.manual_seed(0)
    init_weights(nn.Sequential(layer), scheme)
    return layer.weight.detach()


@pytest.mark.parametrize("scheme", SPREADS)
def test_the_spread_is_the_published_one(scheme):
    weight = drawn(scheme, nn.Conv2d(64, 128, 3))
    assert weight.std().item() == pytest.approx(SPREADS[scheme], rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=0.02 * SPREADS[scheme])


@pytest.mark.parametrize("scheme", SPREADS)
def test_uniform_draws_are_bounded_and_normal_ones_are_not(scheme):
    weight = drawn(scheme, nn.Conv2d(64, 128, 3))
    reach = weight.abs().max().item() / SPREADS[scheme]
    assert reach < sqrt(3) + 0.05 if scheme.endswith("uniform") else reach > 4


def test_orthogonal_rows_are_orthonormal():
    rows = drawn("orthogonal", nn.Conv2d(64, 128, 3)).flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(128), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scheme", [*SPREADS, "orthogonal"])
def test_biases_become_zero_and_norms_stay(scheme):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4))
    nn.init.constant_(net[1].weight, 0.5)
    before = net[3].weight.clone()
    init_weights(net, scheme)
    assert not net[0].bias.any()
    assert not net[3].bias.any()
    assert (net[1].weight == 0.5).all()
    assert not torch.equal(net[3].weight, before)


def test_the_same_seed_draws_the_same_weights():
    first, second, third = (nn.Linear(8, 8) for _ in range(3))
    assert torch.equal(drawn("kaiming_normal", first), drawn("kaiming_normal", second))
    init_weights(nn.Sequential(third), "kaiming_normal")
    assert not torch.equal(first.weight, third.weight)


def ratio(scheme, activation):
    """Variance after 20 layers of 512 units over that after the first."""
    outputs = activations(scheme, activation)
    return float(outputs[-1].var() / outputs[0].var())


@pytest.mark.parametrize("scheme", ["kaiming_uniform", "kaiming_normal", "lsuv"])
def test_these_schemes_keep_the_variance_through_20_layers_of_relu(scheme):
    assert 0.5 < ratio(scheme, nn.ReLU) < 2


@pytest.mark.parametrize("scheme", ["xavier_uniform", "xavier_normal", "orthogonal"])
def test_these_schemes_keep_the_variance_through_20_linear_layers(scheme):
    assert 0.5 < ratio(scheme, nn.Identity) < 2
    # tanh itself takes some: a variance q becomes about q - 2 q**2, hence 1 / (2 * 20) in the end
    assert float(activations(scheme, nn.Tanh)[-1].var()) == pytest.approx(1 / 40, rel=0.2)
    # ReLU keeps half of the mean square of each layer
    assert ratio(scheme, nn.ReLU) == pytest.approx(0.5**19, rel=0.7)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_small_weights_lose_the_signal(activation):
    assert activations("small", activation)[-1].std() < 1e-10


def test_large_weights_saturate_tanh_and_explode_with_relu():
    saturated = [float((outputs.abs() > 0.99).double().mean()) for outputs in activations("large", nn.Tanh)]
    assert min(saturated[1:]) > 0.9
    assert activations("large", nn.ReLU)[-1].std() > 1e20


def test_attention_projections_are_drawn_too():
    net = torchvision_model(name="vit_b_32", pretrained=False, num_classes=2, in_channels=3, size=32)
    init_weights(net, "small")
    spread = net.encoder.layers[0].self_attention.in_proj_weight.std().item()
    assert spread == pytest.approx(0.01, rel=0.02)
