"""Weight norm and spectral norm."""

import pytest
import torch
from torch import nn

from imagelab.loading import load
from imagelab.model.norm import set_norm
from imagelab.model.reparametrize import reparametrize
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.torchvision import torchvision_model
from imagelab.optimizer.weight_names import weight_names
from tests.fitting import SHORT, fitted


def plain():
    torch.manual_seed(0)
    net = SmallCNN(num_classes=4, in_channels=3, widths=[8, 16], kernel_size=3)
    set_norm(net, "none")
    return net


def layers(net):
    return [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def test_weight_norm_computes_the_same_and_learns_length_and_direction_apart():
    net, images = plain(), torch.randn(2, 3, 16, 16)
    expected = net(images)
    reparametrize(net, "weight")
    torch.testing.assert_close(net(images), expected)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(images).square().sum().backward()
    optimizer.step()
    for layer in layers(net):
        length, direction = layer.parametrizations["weight"].parameters()
        unit = direction / direction.flatten(1).norm(dim=1).view_as(length)
        torch.testing.assert_close(layer.weight, length * unit)
        assert (
            torch.autograd.grad(layer.weight.sum(), direction)[0].flatten(1).shape
            == direction.flatten(1).shape
        )


def test_the_length_of_a_units_weights_does_not_decay():
    net = plain()
    reparametrize(net, "weight")
    names = weight_names(net)
    assert names == {name for name, _ in net.named_parameters() if name.endswith("weight.original1")}
    assert len(names) == 3


def test_with_spectral_norm_no_layer_amplifies():
    net = plain()
    with torch.no_grad():
        for layer in layers(net):
            layer.weight.mul_(10)
    reparametrize(net, "spectral")
    for _ in range(60):  # each pass in training brings the estimate closer
        net(torch.randn(2, 3, 16, 16))
    for layer in layers(net.eval()):
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(
            1, abs=0.02
        )


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_a_residual_network_of_a_library_takes_it(norm):
    net = torchvision_model(name="resnet18", pretrained=False, num_classes=3, in_channels=3, size=32)
    set_norm(net, norm)
    reparametrize(net, norm)
    net(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_a_run_learns_from_lsuv_weights_and_its_checkpoint_predicts_the_same(norm, tmp_path):
    words = [f"model.norm={norm}", "model.init=lsuv", "optimizer.lr=0.003", "data.limit=null"]
    parts = fitted([*SHORT, *words, "trainer.max_epochs=2"], tmp_path)
    assert float(parts.trainer.callback_metrics["val/accuracy"]) > 0.6
    images = torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(load(tmp_path).net(images), parts.classifier.net.eval()(images))
