"""The weights of the best epochs."""

import csv

import torch

from imagelab.checkpoints.durable import read
from imagelab.evaluation.members import of_kind
from imagelab.training.top_epochs import best
from tests.fitting import SHORT, built, fitted

WORDS = [*SHORT, "trainer.max_epochs=6", "save_top=3", "optimizer.lr=0.02", "data.limit=300"]


def epochs_of(folder):
    return {int(file.stem.removeprefix("top_")) for file in (folder / "checkpoints").glob("top_*.ckpt")}


def test_nan_is_never_among_the_best_and_of_equals_the_later_is():
    values = {0: 0.5, 1: float("nan"), 2: 0.2, 3: 0.5}
    assert best(values, 2, lower=True) == [2, 3]
    assert best(values, 2, lower=False) == [3, 0]
    assert best(values, 9, lower=True)[-1] == 1


def test_a_run_leaves_its_best_epochs_and_so_does_a_resumed_one(tmp_path):
    parts = fitted(WORDS, tmp_path / "whole")
    rows = csv.DictReader((tmp_path / "whole" / "metrics.csv").read_text().splitlines())
    accuracies = {int(float(row["epoch"])): float(row["val/accuracy"]) for row in rows if row["val/accuracy"]}
    assert len(accuracies) == 6
    assert epochs_of(tmp_path / "whole") == set(best(accuracies, 3, lower=False))
    assert [file.stem for file in of_kind(tmp_path / "whole", "top")] == sorted(
        f"top_{epoch}" for epoch in epochs_of(tmp_path / "whole")
    )
    top = best(accuracies, 1, lower=False)[0]
    content = read(tmp_path / "whole" / "checkpoints" / f"top_{top}.ckpt")["state_dict"]
    whole = read(tmp_path / "whole" / "checkpoints" / "best.ckpt")["state_dict"]
    assert all(torch.equal(tensor, whole[name]) for name, tensor in content.items())
    assert parts.saver.state_dict()["top"].keys() == epochs_of(tmp_path / "whole")


def test_what_is_kept_is_in_the_checkpoint(tmp_path):
    saver = built(WORDS, tmp_path).saver
    saver.load_state_dict(saver.state_dict() | {"top": {1: 0.5, 4: 0.75}})
    assert saver.top.values == {1: 0.5, 4: 0.75}
