"""Options that every network takes besides its own arguments."""

import pytest
import torch
from torch import nn

from imagelab.loading import load
from imagelab.model.fit import fit_model
from imagelab.model.pool import FractionalMaxPool
from imagelab.model.resnet9 import ResNet9
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from tests.fitting import SHORT, fitted

PLAIN = {
    "weights": None,
    "stem": "default",
    "activation": "default",
    "slope": None,
    "norm": "default",
    "init": "default",
    "pool": "default",
    "pool_ratio": None,
    "dropout": None,
    "dropout2d": None,
    "stochastic_depth": None,
    "channels_last": False,
}
EVERYTHING = {
    "weights": None,
    "stem": "default",
    "activation": "leaky_relu",
    "slope": 0.2,
    "norm": "group",
    "init": "small",
    "pool": "default",
    "pool_ratio": None,
    "dropout": 0.2,
    "dropout2d": 0.1,
    "stochastic_depth": None,
    "channels_last": True,
}


def small_cnn():
    return SmallCNN(num_classes=4, in_channels=3, widths=[8, 16], kernel_size=3)


NETWORKS = {
    "small_cnn": small_cnn,
    "resnet9": lambda: ResNet9(
        num_classes=4, in_channels=3, width=8, kernel_size=3, join="add", logit_scale=0.125
    ),
    "torchvision": lambda: torchvision_model(
        name="resnet18", pretrained=False, num_classes=4, in_channels=3, size=32
    ),
    "timm": lambda: timm_model(name="resnet10t", pretrained=False, num_classes=4, in_channels=3, size=32),
    "own": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_knob_reaches_every_network(name):
    net = fit_model(NETWORKS[name](), **EVERYTHING)
    kinds = {type(layer) for layer in net.modules()}
    assert {nn.LeakyReLU, nn.GroupNorm} <= kinds
    assert not {nn.ReLU, nn.BatchNorm2d} & kinds
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 2000:
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
            assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 4)


def test_the_defaults_change_nothing():
    net = small_cnn()
    layers, weights = list(net.modules()), [parameter.clone() for parameter in net.parameters()]
    assert fit_model(net, **PLAIN) is net
    assert all(one is two for one, two in zip(layers, net.modules(), strict=True))
    assert all(torch.equal(one, two) for one, two in zip(weights, net.parameters(), strict=True))


def test_weights_are_loaded_after_the_layers_are_changed_and_drawn(tmp_path):
    trained = fit_model(small_cnn(), **EVERYTHING)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    state = {f"net.{name}": tensor for name, tensor in trained.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "best.ckpt")
    again = fit_model(small_cnn(), **(EVERYTHING | {"weights": str(tmp_path / "best.ckpt")}))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in trained.state_dict().items())


def test_channels_last_changes_the_layout_and_not_the_result():
    net, images = small_cnn().eval(), torch.randn(2, 3, 16, 16)
    expected = net(images)
    fit_model(net, **(PLAIN | {"channels_last": True}))
    torch.testing.assert_close(net(images.contiguous(memory_format=torch.channels_last)), expected)


LEFT_OUT = [
    "model.pool=fractional_max",
    "model.dropout=0.3",
    "model.dropout2d=0.1",
    "model.stochastic_depth=0.5",
]
NINE = [*SHORT, "model=resnet9", "model.width=8", "data.size=32", "data.limit=64", *LEFT_OUT]


def test_two_runs_with_dropout_agree_in_every_bit_and_another_seed_differs(tmp_path):
    runs = [fitted([*NINE, f"seed={seed}"], tmp_path / f"{place}") for place, seed in enumerate((0, 0, 1))]
    one, other, third = (run.classifier.net.state_dict() for run in runs)
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())
    assert not torch.equal(one["head.weight"], third["head.weight"])


def test_a_loaded_network_pools_as_before_and_drops_nothing(tmp_path):
    parts = fitted(NINE, tmp_path)
    predictor = load(tmp_path)
    assert list(predictor.net.state_dict()) == list(parts.classifier.net.state_dict())
    assert sum(isinstance(layer, FractionalMaxPool) for layer in predictor.net.modules()) == 3
    images = torch.randn(4, 1, 32, 32)
    with torch.no_grad():
        expected = parts.classifier.net.eval()(images)
        assert torch.equal(predictor.net(images), expected)
        assert torch.equal(predictor.net(images), expected)


@pytest.mark.parametrize("model", ["model.name=resnet18", "model.name=convnext_atto"])
def test_networks_of_a_library_train_with_dropout(model, tmp_path):
    library = "timm" if "atto" in model else "torchvision"
    left_out = LEFT_OUT[1 if library == "timm" else 0 :]
    words = ["trainer.precision=bf16-mixed", "model.channels_last=true"]
    few = ["data.limit=16", "data.batch_size=4", "data.size=32", "data.val_fraction=0.5"]
    parts = fitted([*SHORT, f"model={library}", model, *left_out, *words, *few], tmp_path)
    assert parts.trainer.global_step >= 2
    assert all(weight.isfinite().all() for weight in parts.classifier.net.state_dict().values())
