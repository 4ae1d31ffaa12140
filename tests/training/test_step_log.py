"""Short runs log every step; the gradient norm is that of the whole gradient, before clipping."""

import csv
from pathlib import Path

import pytest
import torch
from lightning import Callback

from imagelab.reports.curves import read_curves
from imagelab.training.results import few_steps_hint
from tests.fitting import SHORT, built, fitted


def column(folder: Path, name: str) -> list[float]:
    with (folder / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


class Norms(Callback):
    """The norm of each step's gradient, by hand."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        parts = [p.grad.double().square().sum() for p in pl_module.parameters() if p.grad is not None]
        self.found.append(float(torch.stack(parts).sum().sqrt()))


@pytest.mark.parametrize(
    "word", ["seed=0", "trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.1"]
)
def test_the_gradient_norm_of_each_logged_step_is_that_before_clipping(word, tmp_path):
    parts, norms = built([*SHORT, "trainer.max_epochs=4", word], tmp_path), Norms()
    parts.trainer.callbacks.append(norms)  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert len(norms.found) == parts.trainer.global_step
    assert column(tmp_path, "grad_norm") == pytest.approx(norms.found, rel=1e-5)
    assert max(norms.found) > 0.1


def test_what_is_measured_of_gradients_does_not_depend_on_clipping_or_the_order_of_tricks(tmp_path):
    found = {}
    for tricks in ("activation_stats", "activation_stats,agc", "agc,activation_stats"):
        words = [f"trick=[{tricks}]", "trick.activation_stats.every=1", "trainer.limit_train_batches=1"]
        clip = ["trick.agc.clip_factor=1e-4"] if "agc" in tricks else []
        fitted([*SHORT, *words, *clip], tmp_path / tricks)
        names = ("grad_norm", "activation/head/gradient_norm")
        found[tricks] = [column(tmp_path / tricks, name) for name in names]
    assert found["activation_stats"] == found["activation_stats,agc"] == found["agc,activation_stats"]
    assert all(norms[0] > 0.01 for norms in found["activation_stats"])


def test_only_logged_steps_have_a_gradient_norm_and_training_does_not_change(tmp_path):
    words = [*SHORT, "trainer.max_epochs=3"]
    fitted(words, tmp_path / "each")
    fitted([*words, "trainer.log_every_n_steps=3"], tmp_path / "third")
    each, third = column(tmp_path / "each", "grad_norm"), column(tmp_path / "third", "grad_norm")
    assert third == each[2::3]
    assert column(tmp_path / "each", "train/loss_epoch") == column(tmp_path / "third", "train/loss_epoch")


def test_with_a_line_search_the_norm_is_that_at_the_weights_of_the_step(tmp_path):
    words = ["trainer=cpu", "data.limit=200", "data.batch_size=full", "optimizer=lbfgs", "schedule=constant"]
    fitted([*words, "trainer.max_epochs=3", "trainer.log_every_n_steps=1"], tmp_path)
    norms = column(tmp_path, "grad_norm")
    assert len(norms) == 3
    assert norms[0] > norms[-1] > 0


def test_a_run_of_fewer_than_200_steps_logs_loss_and_rate_at_every_step(tmp_path):
    words = [word for word in SHORT if "log_every" not in word]
    steps = fitted([*words, "trainer.max_epochs=3"], tmp_path).trainer.global_step
    curves = read_curves(tmp_path / "metrics.csv")
    assert curves.steps.tolist() == list(range(1, steps + 1))
    rates = next(iter(curves.rates.values()))
    assert len(set(curves.losses)) == len(set(rates)) == steps
    assert built([*words, "trainer.max_epochs=66"], tmp_path).trainer.log_every_n_steps == 1  # 198 steps
    assert built([*words, "trainer.max_epochs=67"], tmp_path).trainer.log_every_n_steps == 20


def test_the_hint_asks_for_smaller_batches_where_an_epoch_has_few_steps(tmp_path):
    def hint(*words: str) -> str:
        return few_steps_hint(built([*SHORT, *words], tmp_path))

    assert hint() == "3 steps per epoch are few for training; data.batch_size=16 makes 12"
    few = "trainer.accumulate_grad_batches=1 data.batch_size=16 makes 12"
    assert hint("trainer.accumulate_grad_batches=2") == f"2 steps per epoch are few for training; {few}"
    enough = ["data.batch_size=16", "data.batch_size=full", "trainer.limit_train_batches=1"]
    assert [hint(word) for word in enough] == ["", "", ""]
