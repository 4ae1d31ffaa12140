"""Sharpness is the rise of the loss at the worst nearby weights, and measuring it changes nothing."""

import csv
from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule
from lightning.pytorch.plugins import Precision

from imagelab.contracts import Inputs
from imagelab.trick.sharpness import rise_of
from tests.trick.watching import assert_same_bits, watched

WORDS = ["trainer.max_epochs=2", "model.dropout=0.2"]


class Bowl(LightningModule):
    """A loss of w' diag(curvatures) w / 2, whatever the images."""

    def __init__(self, *curvatures: float) -> None:
        super().__init__()
        self.net = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor([0.0, 1.0]))])
        self.task = self
        self.curvatures = torch.tensor(curvatures)

    def loss(self, forward: object, batch: Inputs) -> torch.Tensor:
        return (self.curvatures * self.net[0].square()).sum() / 2


def test_the_rise_is_that_of_the_curvature_along_the_gradient(monkeypatch):
    bowl = Bowl(1.0, 4.0)
    monkeypatch.setattr(Bowl, "trainer", SimpleNamespace(precision_plugin=Precision()))
    batch = Inputs(*(torch.zeros(1) for _ in range(4)))
    assert rise_of(bowl, batch, 0.1, (0, 0, 0, 0)) == pytest.approx(4 * (1.1**2 - 1) / 2, rel=1e-5)


def test_a_run_that_is_measured_has_the_bits_of_one_that_is_not(tmp_path):
    plain = watched(WORDS, tmp_path / "plain")
    measured = watched([*WORDS, "trick=[sharpness]", "trick.sharpness.every=2"], tmp_path / "measured")
    assert_same_bits(plain, measured)
    rows = csv.DictReader((tmp_path / "measured" / "metrics.csv").read_text().splitlines())
    rises = [float(row["train/sharpness"]) for row in rows if row["train/sharpness"]]
    assert len(rises) == -(-measured.trainer.global_step // 2)
    assert all(rise > 0 for rise in rises)


def test_the_report_says_how_far_the_loss_rises_at_the_end(tmp_path):  # room: reports
    from imagelab.reports.curves import read_curves
    from imagelab.reports.run_findings import sharpness_finding

    file = tmp_path / "metrics.csv"
    rows = [f"{step},{0.5 - step / 20}" for step in range(10)]
    file.write_text("\n".join(["step,train/sharpness", "0,", *rows, ""]))
    (found,) = sharpness_finding(read_curves(file))
    assert found.value == 0.075  # the mean of the last fifth
    assert "at first by 0.475" in found.why
    file.write_text("step,train/loss\n0,1\n")
    assert sharpness_finding(read_curves(file)) == []
