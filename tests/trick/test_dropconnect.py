"""DropConnect leaves out single weights, scaled, in training only, and leaves no trace in the network."""

import pytest
import torch
from torch import nn

from imagelab.checkpoints.durable import read
from imagelab.optimizer.param_groups import decaying
from imagelab.randomness import seed_step
from imagelab.trick.dropconnect import DropConnect
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab

WORDS = [*SHORT, "trick=[dropconnect]", "trick.dropconnect.rate=0.3"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 40, 5)
        self.norm = nn.BatchNorm2d(40)
        self.hidden = nn.Linear(40, 100)
        self.head = nn.Linear(100, 10)


def test_a_fraction_of_the_weights_is_zero_and_the_others_are_scaled():
    net = Net()
    torch.manual_seed(0)
    weights = DropConnect(rate=0.3, layers="linear").rewired(net)
    assert list(weights) == ["hidden.weight", "head.weight"]
    hidden, own = weights["hidden.weight"], net.hidden.weight
    dropped = hidden == 0
    assert dropped.float().mean().item() == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 4000) ** 0.5)
    assert 0 < dropped.float().mean(dim=1).std() < 0.15  # single weights, not whole units
    torch.testing.assert_close(hidden[~dropped], own[~dropped] / 0.7)
    assert not torch.equal(dropped, DropConnect(rate=0.3, layers="linear").rewired(net)["hidden.weight"] == 0)


def test_layers_all_includes_convolutions_but_nothing_frozen():
    net = Net()
    everything = DropConnect(rate=0.3, layers="all")
    assert list(everything.rewired(net)) == ["conv.weight", "hidden.weight", "head.weight"]
    net.hidden.weight.requires_grad = False
    assert list(everything.rewired(net)) == ["conv.weight", "head.weight"]


def test_training_uses_dropped_weights_and_evaluation_full_ones(tmp_path):
    parts, plain = built(WORDS, tmp_path / "a"), built(SHORT, tmp_path / "b").classifier
    classifier = parts.classifier
    images = torch.rand(16, 1, 8, 8)
    classifier.eval()
    torch.testing.assert_close(classifier(images), plain.eval()(images))
    classifier.train()
    assert not torch.equal(classifier(images), classifier(images))
    head, features = classifier.net.head, classifier.net.eval()
    seen = []
    head.register_forward_pre_hook(lambda layer, args: seen.append((layer.weight, args[0])))
    seed_step(0, epoch=0, batch=0, rank=0)
    logits = classifier(images)
    weight, inputs = seen[-1]
    torch.testing.assert_close(logits, nn.functional.linear(inputs, weight, head.bias))
    assert 0.15 < (weight == 0).float().mean() < 0.45
    assert (features.head.weight == 0).sum() == 0


def test_only_kept_weights_get_a_gradient_with_the_same_scale():
    net = nn.Linear(50, 1, bias=False)
    weights = DropConnect(rate=0.4, layers="linear").rewired(net)
    torch.func.functional_call(net, weights, (torch.ones(1, 50),)).sum().backward()
    expected = torch.where(weights["weight"] == 0, 0.0, 1 / 0.6)
    torch.testing.assert_close(net.weight.grad, expected)


@pytest.mark.parametrize("more", [[], ["trainer.precision=bf16-mixed", "trainer.accumulate_grad_batches=2"]])
def test_checkpoints_hold_full_weights_under_their_own_names(more, tmp_path):
    parts = fitted([*WORDS, "trick.dropconnect.layers=all", *more], tmp_path / "run")
    plain = built(SHORT, tmp_path / "plain").classifier
    saved = read(tmp_path / "run" / "checkpoints" / "last.ckpt")["state_dict"]
    assert saved.keys() == plain.state_dict().keys()
    assert sum((saved[f"net.{name}"] == 0).sum() for name in decaying(plain.net)) == 0
    assert all(type(p) is nn.Parameter for p in parts.classifier.net.parameters())
    assert not any(layer._forward_pre_hooks for layer in parts.classifier.net.modules())


def test_masks_are_a_function_of_the_seed(tmp_path):
    first, second, other = (
        fitted([*WORDS, *more], tmp_path / name).classifier.net.head.weight
        for name, more in {"a": [], "b": [], "c": ["trick.dropconnect.rate=0.31"]}.items()
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_network_without_a_linear_layer_is_refused_and_leaves_no_folder(tmp_path):
    words = ["trick=[dropconnect]", "model=torchvision", "model.name=squeezenet1_1", "data.size=64"]
    said = imagelab("train", "trainer=cpu", *words, folder=tmp_path)
    assert (said.status, len(said.err.strip().splitlines())) == (2, 2)
    assert "has no linear layer; set trick.dropconnect.layers=all" in said.err
    assert list(tmp_path.iterdir()) == []
