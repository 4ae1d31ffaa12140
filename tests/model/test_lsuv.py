"""LSUV: each layer's output has variance 1 on the images, in every kind of network."""

import logging

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from imagelab.model.fit import fit_model
from imagelab.model.lsuv import lsuv
from imagelab.model.norm import set_norm
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem
from tests.fitting import SHORT, built

KNOBS = {
    "stem": "default",
    "activation": "default",
    "slope": None,
    "norm": "default",
    "weights": None,
    "channels_last": False,
}
KNOBS |= {"pool": "default", "pool_ratio": None, "dropout": None, "dropout2d": None, "stochastic_depth": None}


def attention(*, image_size=32, **_):
    """A small vision transformer of torchvision, whose attention is torch's."""
    return VisionTransformer(image_size, 8, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128)


def images(count=32):
    return 3 * torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def network(library, name):
    torch.manual_seed(0)
    return library(name=name, pretrained=False, num_classes=10, in_channels=3, size=32)


def variances(net):
    """Of what leaves each layer, by name, in a pass as in training but without dropout."""
    found = {}

    def keep(name):
        def hook(_layer, _inputs, output):
            found[name] = float((output[0] if isinstance(output, tuple) else output).var())

        return hook

    kinds = nn.Linear | nn.Conv2d | nn.MultiheadAttention
    hooks = [
        layer.register_forward_hook(keep(name))
        for name, layer in net.named_modules()
        if isinstance(layer, kinds)
    ]
    for layer in net.eval().modules():
        layer.training = isinstance(layer, nn.BatchNorm2d)
    with torch.no_grad():
        net(images())
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("library", "name", "norm"),
    [
        (torchvision_model, "resnet18", "default"),
        (torchvision_model, "resnet18", "none"),
        (attention, "vit", "default"),
        (timm_model, "resnet10t", "group"),
        (timm_model, "vit_tiny_patch16_224", "default"),
        (timm_model, "convnext_atto", "default"),
    ],
)
def test_the_variance_is_1_after_each_layer(library, name, norm):
    net = network(library, name)
    if norm != "default":
        set_norm(net, norm)
    assert lsuv(net, images()) == []
    found = variances(net)
    assert len(found) >= 11
    assert list(found.values()) == pytest.approx([1.0] * len(found), abs=0.1)


def test_the_weights_stay_orthogonal():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), nn.ReLU(), nn.Linear(64, 32))
    lsuv(net, images())
    for layer in (net[1], net[3]):
        gram = layer.weight @ layer.weight.T
        scale = gram.diagonal().mean()
        torch.testing.assert_close(gram / scale, torch.eye(len(gram)), atol=1e-5, rtol=0)
    assert not net[3].bias.any()


def test_query_key_and_value_of_attention_have_variance_1_each():
    net = attention()
    layer, inputs = net.encoder.layers[0].self_attention, []
    lsuv(net, images())
    layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    with torch.no_grad():
        net.eval()(images())
        found = [float((inputs[0] @ weight.T).var()) for weight in layer.in_proj_weight.chunk(3)]
    assert found == pytest.approx([1.0] * 3, abs=0.1)


def test_only_the_weights_of_the_network_change():
    net = SmallCNN(num_classes=3, in_channels=3, widths=[8, 16], kernel_size=3)
    net.features[1].eval()
    modes = [layer.training for layer in net.modules()]
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    lsuv(net, images())
    assert [layer.training for layer in net.modules()] == modes
    assert all(torch.equal(buffers[name], buffer) for name, buffer in net.named_buffers())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in net.modules())


class Odd(nn.Module):
    """One layer sees zeros, one is never called."""

    def __init__(self):
        super().__init__()
        self.used, self.dead, self.idle = nn.Linear(3072, 16), nn.Linear(16, 16), nn.Linear(4, 4)

    def forward(self, x):
        x = self.used(x.flatten(1))
        return x + self.dead(0 * x)


def test_layers_that_cannot_be_scaled_are_named_and_keep_their_weights(caplog):
    net = Odd()
    with caplog.at_level(logging.WARNING):
        fit_model(net, **KNOBS, init="lsuv", sample=images)
    assert "2 layers of Odd keep orthogonal weights" in caplog.text
    assert "(dead, idle)" in caplog.text
    torch.testing.assert_close(net.dead.weight @ net.dead.weight.T, torch.eye(16), atol=1e-5, rtol=0)


def test_weights_that_the_network_normalises_itself_are_left_alone():
    net = network(timm_model, "nf_regnet_b0")
    left = lsuv(net, images(8))
    assert "stages.0.0.conv3" in left
    weight = net.get_submodule("stages.0.0.conv3").weight.detach().flatten(1)
    assert float((weight @ weight.T).diagonal().mean()) <= 1 + 1e-5


def test_without_images_it_is_refused():
    with pytest.raises(Problem, match=r"model\.init=lsuv needs training images"):
        fit_model(nn.Linear(2, 2), **KNOBS, init="lsuv")


def test_a_run_starts_with_variance_1_on_its_own_images_the_same_for_a_seed(tmp_path):
    words = ["model.init=lsuv", "augment=[flip,crop]", *SHORT]
    one, other = (built(words, tmp_path) for _ in range(2))
    net, found = one.classifier.net, []
    net.head.register_forward_hook(lambda _layer, _args, output: found.append(float(output.var())))
    with torch.no_grad():
        net(one.data.sample(64))
    assert found == pytest.approx([1.0], abs=1e-4)
    weights = zip(net.parameters(), other.classifier.net.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in weights)
    assert torch.equal(one.data.sample(8), other.data.sample(8))


def test_a_checkpoint_that_is_loaded_needs_no_images(tmp_path, monkeypatch):
    """`bare` leaves out how a network once started."""
    known = built(["model.init=lsuv", *SHORT], tmp_path).classifier.card
    monkeypatch.setattr("imagelab.model.fit.lsuv", None)
    assert known["model"]["init"] == "lsuv"
    assert built(["model.init=lsuv", *SHORT], tmp_path, known=known).classifier.net.head.out_features == 10
