"""Curves equal metrics.csv, complete or cut short, and their moving average has no lag."""

from pathlib import Path

import numpy as np
import pytest

from imagelab.reports.curve_numbers import _of_train
from imagelab.reports.curves import from_history, read_curves, smoothed

TEXT = """epoch,step,train/loss,lr/decay,grad_norm,\
train/loss_epoch,train/accuracy,val/loss,val/accuracy,val_ema/loss
0,1,2.3,0.1,1.5,,,,,
0,2,2.2,0.2,1.25,,,,,
0,2,,,,2.25,0.25,2.1,0.2,2.2
1,3,1.9,0.3,1.0,,,,,
1,4,,,,1.8,0.5,1.7,0.5,1.9
2,5,1.5,0.1,0.5,,,,,
2,6,1.2,0."""


def test_epochs_and_steps_are_separated_and_an_incomplete_row_is_left_out(tmp_path: Path):
    file = tmp_path / "metrics.csv"
    file.write_text(TEXT)
    found = read_curves(file)
    assert found.epochs.tolist() == [1, 2]
    assert found.train.tolist() == [2.25, 1.8]
    assert found.train_accuracy.tolist() == [0.25, 0.5]
    assert found.of_val("accuracy").tolist() == [0.2, 0.5]
    assert found.val["val_ema"]["loss"].tolist() == [2.2, 1.9]
    assert found.steps.tolist() == [1, 2, 3, 5]
    assert found.rates["decay"].tolist() == [0.1, 0.2, 0.3, 0.1]
    assert found.norms.tolist() == [1.5, 1.25, 1.0, 0.5]


def test_a_run_that_has_just_begun_has_no_curves(tmp_path: Path):
    assert len(read_curves(tmp_path / "metrics.csv").train) == 0
    (tmp_path / "metrics.csv").write_text("epoch,step\n")
    found = read_curves(tmp_path / "metrics.csv")
    assert len(found.train) == len(found.norms) == 0
    assert np.isnan(found.of_val("loss")).all()


def test_the_history_in_a_checkpoint_has_the_epochs_too():
    first = {"train/loss": 2.0, "train/accuracy": 0.25, "val/loss": 1.5}
    found = from_history([first, {"train/loss": 1.0, "train/accuracy": 0.5, "val/loss": 1.25}])
    assert found.train.tolist() == [2, 1]
    assert found.train_accuracy.tolist() == [0.25, 0.5]
    assert found.of_val("loss").tolist() == [1.5, 1.25]
    assert found.epochs.tolist() == [1, 2]


def test_the_moving_average_has_no_lag():
    peak = np.exp(-0.5 * ((np.arange(200) - 80) / 10) ** 2)
    assert smoothed(peak).argmax() == 80
    line = np.linspace(3, 1, 200)
    assert smoothed(line)[50:150] == pytest.approx(line[50:150])
    noise = np.random.default_rng(0).standard_normal(400)
    assert smoothed(noise)[50:-50].std() < 0.2


def test_gaps_are_ignored_and_short_curves_are_unchanged():
    gappy = np.where(np.arange(100) % 3 == 0, 2.0, np.nan)
    assert smoothed(gappy)[::3] == pytest.approx(2.0)
    assert np.isnan(smoothed(gappy)[1])
    assert smoothed(np.array([3.0, 1.0])).tolist() == [3, 1]


def test_a_straight_line_falls_at_the_speed_of_one_run_to_the_end():
    """`train_speed`: the fall of a whole run at the pace of the last fifth, as a share of the real fall."""
    line = np.linspace(2.0, 1.0, 10)
    assert _of_train(line, chance=2.0)["train_speed"] == pytest.approx(10 / 9, abs=0.1)
