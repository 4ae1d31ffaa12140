"""Penalties add exactly their term, to the loss and to the gradient, and do what they are for."""

import csv

import pytest
import torch
from torch import nn

from imagelab.optimizer.param_groups import decaying
from imagelab.trick.weight_penalty import L1, L2, Elastic
from tests.fitting import SHORT, built, fitted

PENALTIES = [L1(strength=0.3), L2(strength=0.3), Elastic(strength=0.3, ratio=0.25)]
# One plain step: what the weights move by is the gradient.
STEP = ["optimizer=sgd", "optimizer.weight_decay=0", "optimizer.lr=1", "schedule=constant"]
WORDS = {
    "l1": ["trick=[l1]", "trick.l1.strength=0.3"],
    "l2": ["trick=[l2]", "trick.l2.strength=0.3"],
    "elastic": ["trick=[elastic]", "trick.elastic.strength=0.3", "trick.elastic.ratio=0.25"],
}
GRADIENTS = {
    "l1": lambda w: 0.3 * w.sign(),
    "l2": lambda w: 0.3 * w,
    "elastic": lambda w: 0.3 * (0.25 * w.sign() + 0.75 * w),
}


def net_with(weight, bias):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[0].weight.data, net[0].bias.data = torch.tensor(weight), torch.tensor(bias)
    return net


@pytest.mark.parametrize(
    ("penalty", "expected"),
    zip(PENALTIES, [0.3 * 7, 0.15 * 21, 0.3 * (0.25 * 7 + 0.375 * 21)], strict=True),
)
def test_the_penalty_covers_weights_but_not_biases_and_norms(penalty, expected):
    net = net_with([[1.0, -2.0], [0.0, 4.0]], [100.0, 100.0])
    assert penalty.penalty(net).item() == pytest.approx(expected)
    net[0].weight.requires_grad = False
    assert penalty.penalty(net).item() == 0


@pytest.mark.parametrize("more", [[], ["trainer.accumulate_grad_batches=3"]], ids=["plain", "accumulated"])
@pytest.mark.parametrize("name", WORDS)
def test_a_step_differs_by_exactly_the_gradient_of_the_penalty(name, more, tmp_path):
    # 200 images in windows of 3 batches of 64, or in one batch.
    words = [*SHORT, *STEP, *(more or ["data.batch_size=full"]), "model.norm=group"]
    without, with_it = (
        fitted([*words, *tricks], tmp_path / str(len(tricks))).classifier.net for tricks in ([], WORDS[name])
    )
    before = built(words, tmp_path / "before").classifier.net
    counted = decaying(before)
    assert 0 < len(counted) < len(list(before.parameters()))
    for key, start in before.named_parameters():
        moved = without.get_parameter(key) - with_it.get_parameter(key)
        expected = GRADIENTS[name](start) if key in counted else torch.zeros_like(start)
        torch.testing.assert_close(moved, expected, rtol=1e-4, atol=3e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_many_weights_are_summed_exactly_in_any_precision(dtype):
    # 100,352 = 98 * 1024 ones: more than float16 can count to, or bfloat16 can tell from 100,000.
    net = nn.Linear(1024, 98, bias=False).to(dtype)
    nn.init.ones_(net.weight)
    term = L1(strength=1.0).penalty(net)
    term.backward()
    assert term.item() == 100_352
    assert (net.weight.grad == 1).all()


def moved(words, folder):
    """The weights after two epochs of two steps."""
    parts = fitted([*SHORT, "trainer.max_epochs=2", *words], folder)
    return torch.cat([weight.detach().flatten() for weight in parts.classifier.net.parameters()])


def test_l2_is_weight_decay_for_sgd_but_not_for_adamw(tmp_path):
    for place, (optimizer, same) in enumerate({"sgd": True, "momentum": True, "adamw": False}.items()):
        words = [f"optimizer={optimizer}"]
        decay = moved([*words, "optimizer.weight_decay=0.1"], tmp_path / f"{place}a")
        term = moved(
            [*words, "optimizer.weight_decay=0", "trick=[l2]", "trick.l2.strength=0.1"],
            tmp_path / f"{place}b",
        )
        assert torch.allclose(decay, term, rtol=1e-4, atol=1e-6) == same


def near_zero(words, folder):
    parts = fitted([*SHORT, "data.limit=600", "trainer.max_epochs=10", *words], folder)
    weights = torch.cat([weight.flatten() for weight in decaying(parts.classifier.net).values()])
    return (weights.abs() < 1e-3).float().mean().item(), float(parts.trainer.callback_metrics["val/accuracy"])


def test_l1_pulls_weights_to_zero_and_l2_only_shrinks_them(tmp_path):
    # Measured: 1.9% of the weights without, 42% with L1, 2.9% with L2; all three are right on every image.
    plain, right = near_zero(["optimizer.weight_decay=0"], tmp_path / "plain")
    l1, right_l1 = near_zero(
        ["optimizer.weight_decay=0", "trick=[l1]", "trick.l1.strength=1e-3"], tmp_path / "l1"
    )
    l2, _ = near_zero(["optimizer.weight_decay=0", "trick=[l2]", "trick.l2.strength=1e-2"], tmp_path / "l2")
    assert plain < 0.03
    assert l2 < 0.1
    assert l1 > 0.4
    assert right_l1 > right - 0.03


def test_the_logged_loss_is_that_of_the_data_and_the_penalty_is_logged_beside_it(tmp_path):
    parts = fitted([*SHORT, "data.batch_size=full", "trick=[l1,l2]", "trick.l1.strength=1e-3"], tmp_path)
    start = built([*SHORT, "data.batch_size=full"], tmp_path / "start").classifier
    (batch,) = parts.data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    inputs = parts.data.prepare_batch(batch, train=True, rank=0)
    weights = torch.cat([weight.flatten() for weight in decaying(start.net).values()]).detach()
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    step = next(row for row in rows if row["train/l1"])
    expected = {
        "train/loss": nn.functional.cross_entropy(start(inputs.images), inputs.targets).item(),
        "train/l1": 1e-3 * weights.abs().sum().item(),
        "train/l2": 5e-4 * weights.square().sum().item(),
    }
    assert {name: float(step[name]) for name in expected} == pytest.approx(expected, rel=1e-4)
    epoch = next(row for row in rows if row["train/loss_epoch"])
    assert {name: float(epoch[f"{name}_epoch"]) for name in expected} == pytest.approx(expected, rel=1e-4)
