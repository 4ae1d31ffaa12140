"""`last` is a run by itself."""

import os
from pathlib import Path

import pytest

from imagelab.problem import Problem
from imagelab.runs import find


def write(folder: Path, age: float, fold: int | None = None) -> Path:
    folder.mkdir(parents=True)
    config = folder / "config.yaml"
    config.write_text(f"data:\n  fold: {'null' if fold is None else fold}\n")
    os.utime(config, (1e9 - age, 1e9 - age))
    return folder


@pytest.mark.parametrize("plan", ["sweep.yaml", "multirun.yaml"])
def test_last_passes_over_trials_and_folds(tmp_path, monkeypatch, plan):
    monkeypatch.chdir(tmp_path)
    mine = write(Path("logs/train/mine"), age=3)
    write(Path("logs/train/fold"), age=2, fold=0)
    trial = write(Path("logs/sweeps/a/0"), age=1)
    (trial.parent / plan).touch()
    assert find.existing("last") == mine
    assert find.existing(str(trial)) == trial


def test_if_there_are_only_trials_one_has_to_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trial = write(Path("logs/sweeps/a/0"), age=1)
    (trial.parent / "sweep.yaml").touch()
    with pytest.raises(Problem, match=r"run=last: .*got only trials.*run=logs/sweeps/a/0"):
        find.existing("last")


def test_a_run_has_trained_once_it_has_a_row_of_metrics(tmp_path):
    table = tmp_path / "metrics.csv"
    assert not find.has_trained(tmp_path)
    table.write_text("epoch,step\n")
    assert not find.has_trained(tmp_path)
    table.write_text("epoch,step\n0,1\n")
    assert find.has_trained(tmp_path)
