# room: detection, finders
"""Before training boxes: a rate, a batch, and one epoch on a few images."""

import csv
import json
from pathlib import Path

import pytest

from tests.in_process import imagelab

BRIEF = ["task=detect", "trainer=cpu", "data.count=10", "data.batch_size=2", "model.width=32"]
BRIEF += ["hydra.run.dir=out"]


def values(file: Path) -> dict[str, object]:
    return {one["name"]: one["value"] for one in json.loads(file.read_text())}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["fcos", "faster_rcnn"])
def test_find_lr_suggests_a_rate_between_too_low_and_too_high(model, tmp_path):
    words = [*BRIEF, f"model={model}", "data.count=8", "data.batch_size=8", "start=1e-5", "steps=60"]
    said = imagelab("find_lr", *words, folder=tmp_path)
    assert said.status == 0, said
    found = values(tmp_path / "out" / "find_lr.json")["suggested rate"]
    assert isinstance(found, float)
    assert 3e-5 < found < 0.3


def test_find_batch_measures_batches_of_images_with_their_boxes(tmp_path):
    said = imagelab("find_batch", *BRIEF, "patience=0.3", "seconds=0.01", folder=tmp_path)
    assert said.status == 0, said
    found = values(tmp_path / "out" / "find_batch.json")
    assert found["largest batch"] in range(1, 11)  # of the ten training images
    assert found["fastest batch"] in range(1, 11)


def test_debug_quick_is_an_epoch_on_a_few_images(tmp_path):
    said = imagelab("train", *BRIEF, "data.count=300", "debug=quick", "data.limit=10", folder=tmp_path)
    assert said.status == 0, said
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["status"], results["epochs"], results["best"]["monitor"]) == ("finished", 1, "val/ap")
    logged = [row for row in csv.DictReader((tmp_path / "out" / "metrics.csv").open()) if row["train/loss"]]
    assert len(logged) == 5  # steps of two images
