"""What is logged of layers against runs whose weights are known before and after the step."""

import csv
from typing import Any

import pytest
import torch
from lightning import Callback

from imagelab.trick.activation_stats import ActivationStats
from tests.fitting import built
from tests.trick.watching import SMALL, trick_of, watched

WORDS = ["trick=[activation_stats]", "trick.activation_stats.every=3"]


class Weights(Callback):
    """The head's weight around each step, and its gradient before clipping."""

    def __init__(self) -> None:
        self.before: list[torch.Tensor] = []
        self.after: list[torch.Tensor] = []
        self.gradients: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.before.append(pl_module.net.head.weight.detach().clone())
        self.gradients.append(pl_module.net.head.weight.grad.norm().item())

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if len(self.before) > len(self.after):
            self.after.append(pl_module.net.head.weight.detach().clone())


def test_gradients_and_updates_are_those_of_whole_steps(tmp_path):
    more = ["trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.01", "trainer.max_epochs=4"]
    parts, weights = built([*SMALL, *WORDS, *more], tmp_path), Weights()
    parts.trainer.callbacks.append(weights)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    rows = [row for row in csv.DictReader((tmp_path / "metrics.csv").open()) if row["activation/head/std"]]
    assert [int(row["step"]) for row in rows] == [1, 3, 6]
    for row in rows:
        step = int(row["step"]) - 1
        assert float(row["activation/head/gradient_norm"]) == pytest.approx(weights.gradients[step], rel=1e-5)
        ratio = (weights.after[step] - weights.before[step]).norm() / weights.before[step].norm()
        assert float(row["activation/head/update_ratio"]) == pytest.approx(ratio.item(), rel=1e-4)
    assert max(weights.gradients) > 0.05  # clipped only afterwards


def test_weights_that_start_too_small_are_reported_once_with_a_remedy(tmp_path, capsys):
    words = [
        *WORDS,
        "model.norm=none",
        "model.init=small",
        "model.widths=[8,8,8,8,8,8]",
        "trainer.max_epochs=2",
    ]
    parts = watched([*words, "trick.activation_stats.every=1"], tmp_path)
    said = capsys.readouterr().out
    assert said.count("the outputs shrink") == 1
    assert "activation_stats, step 1: the outputs shrink: the std of features." in said
    assert "model.init=kaiming_normal or lsuv" in said
    assert trick_of(parts, ActivationStats).steps == [1, 2, 3, 4, 5, 6, 7, 8]


def test_healthy_runs_cause_no_warning(tmp_path, capsys):
    watched([*WORDS, "trick.activation_stats.every=1", "trainer.max_epochs=2"], tmp_path)
    assert "activation_stats, step" not in capsys.readouterr().out
    picture = (tmp_path / "images" / "activation_stats.svg").read_text()
    assert picture.count("<polyline") == 4 + 3 + 4 + 4  # the head has no activation after it


def test_only_some_layers_of_deep_networks_are_watched(tmp_path):
    words = ["model.widths=[4,4,4,4,4,4,4]", "trick.activation_stats.layers=4", "trainer.max_epochs=1"]
    parts = watched([*WORDS, *words], tmp_path)
    assert trick_of(parts, ActivationStats).names == ["features.0", "features.8", "features.20", "head"]
