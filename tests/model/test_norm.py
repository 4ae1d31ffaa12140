"""Changing a network's normalisation."""

from math import log

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from imagelab.model.init import init_weights
from imagelab.model.logits import check_logits
from imagelab.model.lsuv import lsuv
from imagelab.model.norm import set_norm
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem
from tests.fitting import SHORT, fitted


def network(library, name):
    return library(name=name, pretrained=False, num_classes=3, in_channels=3, size=32)


def batch_norms(net):
    return [layer for layer in net.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


def trained(net):
    """The network after a few batches in training, so that its statistics are of something."""
    torch.manual_seed(0)
    net.train()
    for _ in range(3):
        net(3 + 2 * torch.randn(4, 3, 32, 32))
    return net


NETWORKS = [
    (torchvision_model, "resnet18"),
    (timm_model, "resnet10t"),
    (timm_model, "mobilenetv3_small_050"),
]
DEEPER = [(torchvision_model, "resnet50"), (timm_model, "seresnet18")]


@pytest.mark.parametrize(
    ("norm", "library", "name"),
    [(norm, *choice) for norm in ("group", "none", "frozen") for choice in NETWORKS]
    + [("group", *choice) for choice in DEEPER],
)
def test_no_batch_norm_remains(norm, library, name):
    net = network(library, name)
    set_norm(net, norm)
    assert not batch_norms(net)
    assert net(torch.randn(2, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize("scheme", ["small", "large"])
def test_batch_norm_keeps_activations_normal_through_20_layers_where_they_vanish_or_explode_without(scheme):
    torch.manual_seed(0)
    kinds = [lambda: nn.Linear(64, 64), lambda: nn.BatchNorm1d(64), nn.ReLU]
    spreads = []
    for layers in (kinds, kinds[::2]):
        net = nn.Sequential(*(make() for _ in range(20) for make in layers))
        init_weights(net, scheme)
        spreads.append(net[:-1](torch.randn(256, 64)).std().item())
    assert 0.9 < spreads[0] < 1.1
    assert spreads[1] < 1e-6 or spreads[1] > 1e6


def test_instance_norm_leaves_each_channel_of_an_image_with_mean_0_and_variance_1():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    set_norm(net, "instance")
    maps = net(3 + 2 * torch.randn(4, 3, 32, 32)).flatten(2)
    torch.testing.assert_close(maps.mean(2), torch.zeros(4, 8), atol=1e-4, rtol=0)
    torch.testing.assert_close(maps.var(2, correction=0), torch.ones(4, 8), atol=1e-3, rtol=0)


def test_instance_norm_of_maps_of_one_pixel_is_refused():
    net = network(torchvision_model, "resnet18")
    set_norm(net, "instance")
    with pytest.raises(Problem, match=r"maps larger than 1 x 1, .* larger data\.size"):
        check_logits(net, num_classes=3, in_channels=3, size=32)
    check_logits(net, num_classes=3, in_channels=3, size=64)


def test_every_norm_of_a_resnet_becomes_32_groups():
    net = network(torchvision_model, "resnet18")
    count = len(batch_norms(net))
    set_norm(net, "group")
    groups = [layer.num_groups for layer in net.modules() if isinstance(layer, nn.GroupNorm)]
    assert groups == [32] * count == [32] * 20


RESNETS = [
    *((torchvision_model, name) for name in models.list_models(module=models) if "res" in name),
    *((timm_model, name) for name in timm.list_models("resnet*")),  # resnetv2 among them
]


# Every third by default, all in `make test-slow`.
SOME = [pytest.param(i, *one, marks=[pytest.mark.slow] if i % 3 else []) for i, one in enumerate(RESNETS)]


@pytest.mark.parametrize(("place", "library", "name"), SOME)
def test_group_leaves_no_batch_norm_in_any_resnet(place, library, name):
    """They are built without memory for weights; every fifth is tried on images, too."""
    with torch.device("meta"):
        made = timm.create_model if library is timm_model else models.get_model
        net = made(name, num_classes=7)
        if not batch_norms(net):
            pytest.skip("made without BatchNorm")
        set_norm(net, "group")
        assert not batch_norms(net)
        assert any(isinstance(layer, nn.GroupNorm) for layer in net.modules())
        if place % 5 == 0:
            size = net.pretrained_cfg["input_size"][-1] if library is timm_model else 64
            assert net(torch.empty(2, 3, size, size)).shape == (2, 7)


@pytest.mark.parametrize("norm", ["group", "instance", "none", "frozen"])
def test_without_batch_norm_an_image_does_not_depend_on_the_others(norm):
    """What else is in the batch changes the logits with BatchNorm and with nothing else."""
    net = SmallCNN(num_classes=3, in_channels=3, widths=[8, 16], kernel_size=3)
    first, others = torch.randn(1, 3, 16, 16), torch.randn(3, 3, 16, 16)

    def alone_and_together():
        return net(first)[0], net(torch.cat([first, others]))[0]

    assert not torch.allclose(*alone_and_together(), atol=1e-3)
    set_norm(net, norm)
    torch.testing.assert_close(*alone_and_together(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_frozen_computes_what_the_net_computes_in_evaluation(library, name):
    net, images = trained(network(library, name)), torch.randn(2, 3, 32, 32)
    expected = net.eval()(images)
    set_norm(net, "frozen")
    torch.testing.assert_close(net(images), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("library", "name"), [NETWORKS[0], NETWORKS[2]])
def test_frozen_never_changes_in_training(library, name):
    net = trained(network(library, name))
    parameters = sum(1 for _ in net.parameters())
    norms = len(batch_norms(net))
    set_norm(net, "frozen")
    before = {key: buffer.clone() for key, buffer in net.named_buffers()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net.train()(torch.randn(4, 3, 32, 32)).sum().backward()
    optimizer.step()
    assert sum(1 for _ in net.parameters()) == parameters - 2 * norms
    assert len(before) == 4 * norms
    assert all(torch.equal(before[key], buffer) for key, buffer in net.named_buffers())


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_frozen_does_not_use_the_other_images_of_a_batch_in_training(library, name):
    net = trained(network(library, name))
    first, others = torch.randn(1, 3, 32, 32), 5 + torch.randn(3, 3, 32, 32)
    set_norm(net, "frozen")
    for layer in net.train().modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    torch.testing.assert_close(net(first)[0], net(torch.cat([first, others]))[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("init", ["kaiming_normal", "lsuv"])
def test_without_norms_a_run_learns_with_a_suitable_init(init, tmp_path):
    words = ["model.norm=none", f"model.init={init}", "optimizer.lr=0.003", *SHORT]
    parts = fitted([*words, "data.limit=null", "trainer.max_epochs=2"], tmp_path)
    assert float(parts.trainer.callback_metrics["val/loss"]) < 1 < log(10)


def test_lsuv_keeps_a_deep_network_without_norms_in_range():
    """Others vanish in one kind of deep network, or explode in another."""
    images, spread = torch.randn(16, 3, 32, 32), {}
    for name in ("mobilenet_v2", "resnet50"):
        for init in ("default", "kaiming_normal", "lsuv"):
            torch.manual_seed(0)
            net = network(torchvision_model, name)
            set_norm(net, "none")
            if init == "lsuv":
                lsuv(net, images)
            elif init != "default":
                init_weights(net, init)
            with torch.no_grad():
                spread[name, init] = float(net.eval()(images).std())
    assert spread["mobilenet_v2", "default"] < 1e-8
    assert spread["resnet50", "kaiming_normal"] > 100
    assert spread["mobilenet_v2", "lsuv"] == pytest.approx(1, abs=0.05)
    assert spread["resnet50", "lsuv"] == pytest.approx(1, abs=0.05)


def test_a_checkpoint_of_the_plain_network_fits_the_frozen_one():
    plain = trained(network(torchvision_model, "resnet18"))
    frozen = network(torchvision_model, "resnet18")
    set_norm(frozen, "frozen")
    frozen.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(frozen.eval()(images), plain.eval()(images), rtol=1e-3, atol=1e-4)


def test_scale_and_shift_are_taken_over():
    """Networks start some scales at 0, so that a residual branch begins as nothing."""
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
    nn.init.constant_(net[1].weight, 0.0)
    nn.init.constant_(net[1].bias, 2.0)
    set_norm(net, "group")
    assert (net(torch.randn(2, 3, 4, 4)) == 2).all()
    set_norm(net, "batch")
    assert isinstance(net[1], nn.BatchNorm2d)
    assert (net(torch.randn(2, 3, 4, 4)) == 2).all()


def test_without_norms_convolutions_have_biases():
    net = network(torchvision_model, "resnet18")
    set_norm(net, "none")
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    net(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(layer.bias is not None and layer.bias.grad is not None for layer in convolutions)
    assert any(layer.bias.grad.abs().sum() > 0 for layer in convolutions)


@pytest.mark.parametrize("norm", ["group", "instance", "frozen"])
def test_the_eps_of_a_replaced_norm_stays(norm):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, eps=0.01), nn.Flatten(), nn.Linear(8, 2))
    set_norm(net, norm)
    assert getattr(net[1], "eps") == 0.01  # noqa: B009 - any kind of layer


def test_the_eps_of_a_replaced_group_norm_stays():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8, eps=0.01), nn.Flatten(), nn.Linear(8, 2))
    set_norm(net, "batch")
    assert net[1].eps == 0.01


def test_batch_norm_replaces_group_norm():
    net = network(timm_model, "resnet50_gn")
    set_norm(net, "batch")
    assert len(batch_norms(net)) == 53
    assert not any(isinstance(layer, nn.GroupNorm) for layer in net.modules())


def test_batch_does_not_change_a_network_with_batch_norm():
    net = network(torchvision_model, "resnet18")
    before = batch_norms(net)
    set_norm(net, "batch")
    assert batch_norms(net) == before


@pytest.mark.parametrize("norm", ["group", "none", "frozen", "batch"])
def test_a_network_without_such_norms_is_refused(norm):
    net = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    with pytest.raises(Problem, match=f"model.norm={norm} replaces .* Sequential has none"):
        set_norm(net, norm)
