"""`imagelab evaluate` gives the run's own metrics, even if its images have moved, and names mistakes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imagelab
from imagelab.runs import files
from tests import in_process

PHOTOS = [
    "data=folder",
    "data.size=16",
    "data.batch_size=16",
    "data.workers=0",
    "augment=[flip,crop]",
    "trainer.max_epochs=2",
]


def read(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text())


def write_photos(root: Path, *splits: str) -> Path:
    """Pictures of many sizes and two classes that are hard to tell apart, so that no metric is 0 or 1."""
    rng = np.random.default_rng(0)
    for split in splits or ("",):
        for label, name in enumerate(["darker", "lighter"]):
            (root / split / name).mkdir(parents=True)
            for i in range(40):
                pixels = (
                    rng.integers(0, 246, (*rng.integers(20, 60, 2), 3)) * rng.uniform(0.6, 0.9) + 25 * label
                )
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / name / f"{i:02}.jpg")
    return root


def evaluated(run: Path, *words: str) -> dict[str, float]:
    said = in_process.imagelab("evaluate", f"run={run}", *words, folder=run.parent)
    assert said.status == 0, said
    return read(run, "evaluation.json")["metrics"]


def refused(run: Path | str, *words: str, folder: Path) -> str:
    """The one sentence that a wrong command gets."""
    before = sorted(folder.rglob("*"))
    said = in_process.imagelab("evaluate", f"run={run}", *words, folder=folder)
    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err
    assert sorted(folder.rglob("*")) == before
    return said.err.strip()


def test_the_test_metrics_are_those_of_the_run_to_the_last_digit(digits):
    assert evaluated(digits) == read(digits, "results.json")["test"]


def test_other_splits_and_the_last_weights_give_the_numbers_of_the_training(digits):
    assert evaluated(digits, "split=val") == read(digits, "results.json")["val"]
    last = [row for row in csv.DictReader((digits / "metrics.csv").open()) if row["val/loss"]][-1]
    found = evaluated(digits, "split=val", "checkpoint=last")
    assert found["loss"] == pytest.approx(float(last["val/loss"]), rel=1e-6)
    assert read(digits, "evaluation.json")["checkpoint"] == "last"


def test_the_whole_training_split_is_evaluated_in_order(digits):
    from imagelab.build import build_data

    data = build_data(files.read_config(digits))
    pixels, labels = data.splits["train"].images, torch.from_numpy(data.splits["train"].labels)  # type: ignore[attr-defined]
    right = imagelab.load(digits)(pixels).argmax(1) == labels
    assert evaluated(digits, "split=train")["accuracy"] == pytest.approx(float(right.float().mean()))


def test_it_prints_the_metrics_and_writes_one_file(digits):
    (digits / "evaluation.json").unlink(missing_ok=True)
    before = set(digits.parent.rglob("*"))
    said = in_process.imagelab("evaluate", f"run={digits}", folder=digits.parent)
    assert set(digits.parent.rglob("*")) - before == {digits / "evaluation.json"}
    accuracy = read(digits, "results.json")["test"]["accuracy"]
    assert f"{accuracy:.4f}" in said.out
    assert said.err == ""


def test_last_is_the_newest_run(digits, tmp_path):
    shutil.copytree(digits, tmp_path / "logs" / "train" / "a")
    assert in_process.imagelab("evaluate", "run=last", folder=tmp_path).status == 0
    assert (tmp_path / "logs" / "train" / "a" / "evaluation.json").exists()


def test_each_value_of_a_sweep_is_evaluated(digits, tmp_path):
    said = in_process.imagelab("evaluate", "-m", f"run={digits}", "split=val,test", folder=tmp_path)
    assert said.status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    results = read(digits, "results.json")
    assert all(f"{results[split]['loss']:.4f}" in said.out for split in ("val", "test"))


@pytest.mark.parametrize("storage", ["files", "memory", "shrunk"])
def test_photos_give_the_same_metrics_even_after_they_have_moved(tmp_path, storage):
    photos = write_photos(tmp_path / "photos")
    words = [*PHOTOS, f"data.root={photos}", f"data.storage={storage}"]
    run = in_process.trained(*words, folder=tmp_path)
    own = read(run, "results.json")["test"]
    assert evaluated(run) == own
    photos.rename(tmp_path / "elsewhere")
    assert "does not exist" in refused(run, folder=tmp_path)
    assert evaluated(run, f"root={tmp_path / 'elsewhere'}") == own


def test_moved_images_of_other_classes_are_refused(tmp_path):
    photos = write_photos(tmp_path / "photos", "train", "val")
    run = in_process.trained(*PHOTOS, f"data.root={photos}", folder=tmp_path)
    assert "no such split; choose from train, val" in refused(run, folder=tmp_path)
    for split in ("train", "val"):
        (photos / split / "lighter").rename(photos / split / "bright")
    sentence = refused(run, "split=val", folder=tmp_path)
    assert "other classes (bright, darker) than the run was trained on (darker, lighter)" in sentence


def test_a_root_for_data_without_a_folder_is_refused(digits):
    assert refused(digits, "root=/x", folder=digits.parent) == ("root=/x: Digits has no folder; leave it out")


def test_a_wrong_path_is_named(tmp_path, digits):
    assert "nowhere is not the folder of a run (no config.yaml in it)" in refused("nowhere", folder=tmp_path)
    assert "there is no run below logs/ yet" in refused("last", folder=tmp_path)


def test_every_evaluation_reports_calibration(digits):
    metrics = evaluated(digits, "predictions=true")
    found = read(digits, "evaluation.json")["calibration"]
    assert found["ece"] == pytest.approx(metrics["ece"], abs=1e-6)
    assert found["nll"] == pytest.approx(metrics["loss"], abs=1e-6)
    assert found["interval"][0] < found["ece"] < found["interval"][1]
    assert 0.04 < found["temperature"] < 1  # after so few epochs the network is less sure than it could be
    assert found["after"] < found["before"]
    rows = list(csv.DictReader((digits / "evaluation.csv").open()))
    right = [row["given"] == row["predicted"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(metrics["accuracy"])


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_damaged_checkpoint_is_named(digits, tmp_path, damage):
    run = Path(shutil.copytree(digits, tmp_path / "run"))
    file = run / "checkpoints" / "best.ckpt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content[:-1000] if damage == "cut off" else content)
    sentence = refused(run, folder=tmp_path)
    assert str(file) in sentence
    assert "damaged" in sentence


def test_without_a_best_epoch_the_message_suggests_the_last_checkpoint(digits, tmp_path):
    run = Path(shutil.copytree(digits, tmp_path / "run"))
    (run / "checkpoints" / "best.ckpt").unlink()
    assert "set checkpoint=last" in refused(run, folder=tmp_path)
    assert evaluated(run, "checkpoint=last")["accuracy"] > 0.1


def test_a_run_of_several_processes_is_evaluated_by_one_with_the_same_metrics(digits, tmp_path):
    run = Path(shutil.copytree(digits, tmp_path / "run"))
    cfg = files.read_config(run)
    files.write_config(cfg | {"trainer": cfg["trainer"] | {"devices": 2, "strategy": "ddp"}}, run)
    assert evaluated(run) == read(run, "results.json")["test"]
