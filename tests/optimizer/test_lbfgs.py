"""L-BFGS: the optimum of a convex problem; one function at all evaluations of a step, and on all ranks."""

import csv
from typing import cast

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from tests.fitting import built, fitted
from tests.runs_of_the_command import finish

LBFGS = ["optimizer=lbfgs", "data.batch_size=full", "schedule=constant", "trainer.log_every_n_steps=1"]
SOFTMAX = ["model._target_=tests.optimizer.test_lbfgs.Softmax", "~model.widths", "~model.kernel_size"]


class Softmax(nn.Module):
    """Logistic regression from zero."""

    def __init__(self, *, num_classes: int, in_channels: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels * size * size, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, images):
        return self.linear(images.flatten(1))


class Watched(nn.Module):
    """The dropout of a network, noting what the weights and the masks are at each evaluation in training."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen = net, []

    def forward(self, images):
        if self.training:
            ones = torch.ones(64)
            state = torch.get_rng_state()
            self.seen.append((nn.functional.dropout(ones, 0.5), self.net.head.weight.detach().clone()))
            torch.set_rng_state(state)
        return self.net(images)


def rows(folder):
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def test_it_finds_the_optimum_of_logistic_regression(tmp_path):
    strength = 0.01
    words = ["trainer=cpu", *LBFGS, *SOFTMAX, "trick=[l2]", f"trick.l2.strength={strength}"]
    parts = fitted([*words, "trainer.max_epochs=8"], tmp_path)
    (batch,) = parts.data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    inputs = parts.data.prepare_batch(batch, train=True, rank=0)
    images, labels = inputs.images.flatten(1).double(), inputs.labels
    assert len(labels) == parts.data.counts["train"]

    def objective(weight, bias):
        loss = nn.functional.cross_entropy(images @ weight.T + bias, labels)
        return loss + strength / 2 * weight.square().sum()

    linear = cast(Softmax, parts.classifier.net).linear.double()
    ours = objective(linear.weight, linear.bias)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(ours, [linear.weight, linear.bias])])
    assert float(gradient.norm()) < 1e-4
    regression = LogisticRegression(C=1 / (strength * len(labels)), tol=1e-8, max_iter=10_000)
    regression.fit(images.numpy(), labels.numpy())
    weight, bias = (torch.from_numpy(values) for values in (regression.coef_, regression.intercept_))
    assert ours.item() == pytest.approx(objective(weight, bias).item(), rel=1e-6)


def test_each_evaluation_of_a_step_sees_the_same_masks_and_one_of_them_is_on_record(tmp_path):
    words = ["trainer=cpu", *LBFGS, "data.limit=100", "model.dropout=0.5", "model.norm=group"]
    parts = built([*words, "trainer.max_epochs=2"], tmp_path)
    parts.classifier.net = net = Watched(parts.classifier.net)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    state = parts.trainer.optimizers[0].state_dict()["state"][0]
    assert len(net.seen) == state["func_evals"] > 20
    masks = {tuple(mask.tolist()) for mask, _ in net.seen}
    weights = {tuple(weight.flatten().tolist()) for _, weight in net.seen}
    assert len(masks) == 2  # an epoch is a step: one each
    assert len(weights) > 20
    first = next(row for row in rows(tmp_path) if row["train/loss_epoch"])
    assert float(first["train/loss_epoch"]) == pytest.approx(np.log(10), abs=0.3)  # untrained


def test_everything_is_in_one_group_and_the_loss_falls(tmp_path):
    parts = fitted(["trainer=cpu", *LBFGS, "data.limit=300", "trainer.max_epochs=3"], tmp_path)
    seen = rows(tmp_path)
    assert {float(row["lr/all"]) for row in seen if row["lr/all"]} == {1.0}
    losses = [float(row["train/loss_epoch"]) for row in seen if row["train/loss_epoch"]]
    assert losses[2] < losses[1] / 2 < losses[0] / 4
    assert parts.trainer.global_step == 3


def test_two_processes_go_the_way_of_one(tmp_path):
    words = [*LBFGS, "model.norm=group", "model.widths=[8,8]", "trainer.max_epochs=2", "data.limit=200"]
    words += ["trainer.precision=64-true", "optimizer.max_iter=6"]
    words += ["optimizer.lr_scaling=linear", "optimizer.lr_base_batch=72"]
    one = fitted(["trainer=cpu", *words], tmp_path / "one")
    count = one.data.counts["train"]
    assert count % 2 == 0
    said = finish([*words, "trainer=ddp_cpu", f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    both = torch.load(tmp_path / "two" / "checkpoints" / "last.ckpt", weights_only=True)
    for name, weights in one.classifier.state_dict().items():
        torch.testing.assert_close(both["state_dict"][name], weights, rtol=1e-5, atol=1e-7)
    rate = f"{count / 72:g}"
    assert f"{rate} (1 for 72 images, linear)" in said
    assert {f"{float(row['lr/all']):g}" for row in rows(tmp_path / "two") if row["lr/all"]} == {rate}
