"""Adaptive clipping against its formula, unit by unit, and where it comes in a step."""

import pytest
import torch
from torch import nn

from imagelab.trick.agc import clip
from tests.fitting import SHORT, built

FACTOR, EPS = 0.1, 0.5


def by_formula(weight, gradient):
    """Equation 3 of the paper: rows are units; a bias or a norm's scale is one unit."""
    units = weight.flatten(1) if weight.ndim > 1 else weight[None]
    rows = gradient.flatten(1) if weight.ndim > 1 else gradient[None]
    limits = FACTOR * units.norm(dim=1).clamp(min=EPS)
    lengths = rows.norm(dim=1)
    scales = torch.where(lengths > limits, limits / lengths, torch.ones(len(rows)))
    return (rows * scales[:, None]).view_as(weight)


def test_each_unit_is_clipped_by_its_weight_norm_except_in_the_last_layer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5, 4), nn.Linear(4, 3))
    scale = torch.tensor([0.0, 0.001, 0.01, 1.0, 30.0]).view(5, 1, 1, 1)
    net[0].weight.data *= scale.flip(0)
    gradients = {name: torch.randn_like(p) * 0.2 for name, p in net.named_parameters()}
    gradients["0.weight"] *= scale + 0.01
    for name, parameter in net.named_parameters():
        parameter.grad = gradients[name].clone()
    clip(net, FACTOR, EPS)
    changed = set()
    for name, parameter in net.named_parameters():
        last = name.startswith("4.")
        expected = gradients[name] if last else by_formula(parameter.detach(), gradients[name])
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-5, atol=1e-7)
        changed |= set() if torch.equal(parameter.grad, gradients[name]) else {name}
    assert {"0.weight", "3.weight"} <= changed
    short = (gradients["0.weight"] == net[0].weight.grad).flatten(1).all(1)
    assert 0 < short.sum() < 5  # of the units, some were short enough


@pytest.mark.parametrize("batches", [1, 3])
def test_a_training_step_is_as_long_as_clipping_allows(batches, tmp_path):
    words = [
        "data.batch_size=64",
        f"trainer.accumulate_grad_batches={batches}",
        f"trainer.limit_train_batches={batches}",
        "optimizer=sgd",
        "optimizer.weight_decay=0",
        "optimizer.lr=1",
        "schedule=constant",
        "trick=[agc]",
        "trick.agc.clip_factor=1e-4",
    ]
    parts = built([*SHORT, *words], tmp_path)
    before = {name: p.detach().clone() for name, p in parts.classifier.net.named_parameters()}
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.trainer.global_step == 1
    for name, parameter in parts.classifier.net.named_parameters():
        moved = (parameter.detach() - before[name]).flatten(1 if parameter.ndim > 1 else 0)
        limits = 1e-4 * before[name].flatten(1 if parameter.ndim > 1 else 0).norm(dim=-1).clamp(min=1e-3)
        ratio = moved.norm(dim=-1) / limits
        if name.startswith("head."):
            assert ratio.max() > 5, name
        elif parameter.ndim > 1:
            torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.02, atol=0, msg=name)


@pytest.mark.parametrize(
    ("model", "head"),
    [
        (["model=small_cnn"], "head"),
        (["model=resnet9", "model.width=8", "data.size=32"], "head"),
        (["model=torchvision", "model.name=squeezenet1_1", "data.size=64"], "classifier.1"),
    ],
)
def test_the_last_layer_is_the_one_that_returns_the_logits(model, head, tmp_path):
    net = built([*SHORT, *model], tmp_path).classifier.net
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 100.0)
    clip(net, FACTOR, EPS)
    whole = {name for name, p in net.named_parameters() if p.grad.max() == 100}
    assert whole == {f"{head}.{name}" for name, _ in net.get_submodule(head).named_parameters()}
