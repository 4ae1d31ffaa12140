"""What holds for every optimizer: a run that is stopped goes on to the same bits; decay; rates by group."""

import io
from typing import Any

import pytest
import torch
from lightning import Callback
from torch import nn

from imagelab.config import menu
from imagelab.config.compose import compose, plain
from imagelab.optimizer.build import build_optimizer
from imagelab.training.stop import Stopped
from tests.fitting import SHORT, built, fitted
from tests.runs_of_the_command import assert_same

CHOICES = menu.choices("optimizer")
FIRST_ORDER = [choice for choice in CHOICES if choice != "lbfgs"]
RATED = [choice for choice in FIRST_ORDER if choice != "prodigy"]  # which steps by a rate of its own
FULL = ["data.batch_size=full", "optimizer.max_iter=3"]
# The factor on a weight in one step without a gradient, by rate and decay.
SHRINKS = {
    "sgd": lambda lr, decay: 1 - lr * decay,
    "momentum": lambda lr, decay: 1 - lr * decay,
    "nesterov": lambda lr, decay: 1 - 1.9 * lr * decay,
    "adamw": lambda lr, decay: 1 - lr * decay,
    "nadam": lambda lr, decay: 1 - lr * decay,
    "lion": lambda lr, decay: 1 - lr * decay,
    "lars": lambda lr, decay: 1 - lr * decay,
    "lamb": lambda lr, decay: 1 - lr,  # decay alone, scaled to the norm of the weights
    "muon": lambda lr, decay: 1 - lr * decay,
}


class StopAt(Callback):
    """Asks the run to stop after a step, as Ctrl-C does."""

    def __init__(self, parts, step):
        self.request, self.step = parts.saver.stop, step

    def on_train_batch_start(self, trainer, *_):
        self.request.signum = 15 if trainer.global_step == self.step - 1 else 0


def callbacks(parts: Any) -> list[Callback]:
    return parts.trainer.callbacks


def small():
    """A first, a hidden and a last layer, with norms and biases."""
    return nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.Linear(6, 6), nn.Linear(6, 2))


def made(choice, net, *words):
    cfg = plain(compose("train", [f"optimizer={choice}", *words]).cfg)
    make, groups = build_optimizer(cfg["optimizer"], net, batch=256)
    return make(groups)


def kept(run):
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return by_place([last["state_dict"], last["optimizer_states"], (run / "metrics.csv").read_text()])


def by_place(state: Any) -> Any:
    """The same with dicts for lists, whose tensors are compared one by one."""
    if isinstance(state, list | tuple):
        state = dict(enumerate(state))
    return {key: by_place(value) for key, value in state.items()} if isinstance(state, dict) else state


@pytest.mark.parametrize("choice", ["lbfgs", "muon", "lars", "lamb", "nadam", "prodigy", "schedule_free"])
def test_a_run_that_is_stopped_inside_an_epoch_goes_on_to_the_same_bits_also_in_bf16(choice, tmp_path):
    words = [*SHORT, f"optimizer={choice}", "model.dropout=0.3", "trainer.precision=bf16-mixed"]
    words += ["trainer.max_epochs=3", *(FULL if choice == "lbfgs" else [])]
    fitted(words, tmp_path / "whole")
    parts = built(words, tmp_path / "stopped")
    callbacks(parts).insert(0, StopAt(parts, 2 if choice == "lbfgs" else 3))
    with pytest.raises(Stopped):
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.trainer.global_step == (2 if choice == "lbfgs" else 3)
    parts = built(words, tmp_path / "stopped")
    last = str(tmp_path / "stopped" / "checkpoints" / "last.ckpt")
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=last)
    assert_same(kept(tmp_path / "whole"), kept(tmp_path / "stopped"))


@pytest.mark.parametrize("choice", CHOICES)
def test_its_state_goes_through_a_file_of_plain_data_unchanged(choice):
    torch.manual_seed(0)
    images, labels, nets = torch.randn(16, 3), torch.randint(0, 2, (16,)), [small(), small()]
    nets[1].load_state_dict(nets[0].state_dict())
    few = ["optimizer.max_iter=3"] if choice == "lbfgs" else []
    optimizers = [made(choice, net, *few) for net in nets]

    def step(net, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            return loss

        optimizer.step(closure)

    for _ in range(2):
        step(nets[0], optimizers[0])
    file = io.BytesIO()
    torch.save((nets[0].state_dict(), optimizers[0].state_dict()), file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    nets[1].load_state_dict(weights)
    optimizers[1].load_state_dict(state)
    for net, optimizer in zip(nets, optimizers, strict=True):
        step(net, optimizer)
    assert_same(by_place(nets[0].state_dict()), by_place(nets[1].state_dict()))
    assert_same(by_place(optimizers[0].state_dict()), by_place(optimizers[1].state_dict()))
    assert not torch.equal(weights["0.weight"], nets[0].state_dict()["0.weight"])


@pytest.mark.parametrize("choice", RATED)
def test_without_a_gradient_norms_and_biases_stay_and_weights_shrink_by_the_decay(choice):
    net = small().double()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimizer = made(choice, net, "optimizer.weight_decay=0.1")
    lr = {parameter: group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in net.named_parameters():
        if name in ("0.weight", "2.weight", "3.weight"):
            assert not torch.equal(parameter, before[name])
            if choice in SHRINKS:
                expected = SHRINKS[choice](lr[parameter], 0.1) * before[name]
                torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=0)
        else:
            assert torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("choice", RATED)
def test_a_step_is_as_long_as_the_rate_of_its_group_at_that_step(choice):
    nets = [small().double(), small().double()]
    nets[1].load_state_dict(nets[0].state_dict())
    changes = []
    for net, factor in zip(nets, (1.0, 0.1), strict=True):
        optimizer = made(choice, net, "optimizer.weight_decay=0")
        for group in optimizer.param_groups:
            group["lr"] *= factor
        before = [parameter.detach().clone() for parameter in net.parameters()]
        for parameter in net.parameters():
            parameter.grad = torch.linspace(-1, 2, parameter.numel()).double().view_as(parameter)
        optimizer.step()
        pairs = zip(net.parameters(), before, strict=True)
        changes.append(torch.cat([(parameter - old).detach().flatten() for parameter, old in pairs]))
    torch.testing.assert_close(changes[1] * 10, changes[0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("rule", "rate"), [("linear", 0.04), ("sqrt", 0.02)])
def test_the_rate_grows_with_batch_and_accumulation_in_the_records(rule, rate, tmp_path):
    words = [*SHORT, "optimizer=momentum", "schedule=constant", "trainer.accumulate_grad_batches=2"]
    words += [f"optimizer.lr_scaling={rule}", "optimizer.lr_base_batch=32", "data.batch_size=64"]
    fitted([*words, "optimizer.lr=0.01"], tmp_path)
    header, first, *_ = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    row = dict(zip(header, first, strict=True))
    assert float(row["lr/decay"]) == float(row["lr/no_decay"]) == pytest.approx(rate)


@pytest.mark.parametrize(("rule", "rate"), [("linear", "0.04"), ("sqrt", "0.02")])
def test_the_log_says_which_batch_a_rate_was_meant_for(rule, rate, tmp_path):
    from tests.in_process import imagelab

    words = [*SHORT, "optimizer=momentum", "trainer.accumulate_grad_batches=2", "optimizer.lr=0.01"]
    words += [f"optimizer.lr_scaling={rule}", "optimizer.lr_base_batch=32", "data.batch_size=64"]
    said = imagelab("train", *words, f"hydra.run.dir={tmp_path / 'run'}", folder=tmp_path)
    assert f"learning rate  {rate} (0.01 for 32 images, {rule})" in said.out + said.err
