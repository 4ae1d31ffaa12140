"""Columns beside the images go through every command; the label is in image and column, in neither alone."""

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imagelab
from imagelab.build import build_data
from imagelab.config.compose import compose, plain
from imagelab.config.validate import problems
from imagelab.data.preprocess import Preprocess
from imagelab.runs.files import read_config
from tests import in_process
from tests.runs_of_the_command import assert_same, finish, outcome
from tests.test_resume import kill_somewhere

COUNT, SIDE = 240, 8
QUICK = ["trainer=cpu", "data.batch_size=32", "model.widths=[8,16]", "optimizer.lr=0.02", "trick=[ema]"]


@pytest.fixture(scope="module")
def stripes(tmp_path_factory) -> Path:
    """Stripes along a side; ages around 30 or 60; the class is whether one of both is the second kind."""
    folder, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    lines = [["file", "label", "age", "site"]]
    for place in range(COUNT):
        across, old = place % 2, place // 2 % 2
        pixels = rng.integers(0, 100, (SIDE, SIDE), dtype=np.uint8)
        (pixels if across else pixels.T)[rng.integers(SIDE)] = 255
        Image.fromarray(pixels).save(folder / f"{place}.png")
        age = "" if place % 40 == 7 else f"{30 + 30 * old + rng.integers(-5, 6)}"
        lines.append([f"{place}.png", "ab"[across ^ old], age, "ns"[rng.integers(2)]])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder


@pytest.fixture(scope="module")
def words(stripes) -> list[str]:
    return ["data=folder", f"data.root={stripes}", "data.signals=[image,age,site]", *QUICK]


@pytest.fixture(scope="module")
def run(words, tmp_path_factory) -> Path:
    return in_process.trained(*words, "trainer.max_epochs=12", folder=tmp_path_factory.mktemp("run"))


def said(command: str, *words: str, folder: Path) -> str:
    found = in_process.imagelab(command, *words, folder=folder)
    assert found.status == 0, found
    return found.out


def accuracy(predictor, data, order) -> float:
    signals = data.signals["test"][order]
    seen = predictor(data.splits["test"].images, signals).argmax(dim=1)
    return float((seen.numpy() == data.splits["test"].labels).mean())


def test_both_together_tell_the_label_and_a_shuffled_column_does_not(run) -> None:
    data, predictor = build_data(read_config(run)), imagelab.load(run)
    own = np.arange(data.counts["test"])
    assert accuracy(predictor, data, own) > 0.95
    assert accuracy(predictor, data, np.random.default_rng(1).permutation(own)) < 0.75


def test_evaluation_measures_what_the_run_measured_with_views_and_members_too(run, tmp_path) -> None:
    test = json.loads((run / "results.json").read_text())["test"]
    for more in (["split=test"], ["tta=flip", "members=[best,last]"]):
        said("evaluate", f"run={run}", *more, f"output={tmp_path}", folder=tmp_path)
        found = json.loads((tmp_path / "evaluation.json").read_text())["metrics"]
        assert found["accuracy"] == pytest.approx(test["accuracy"], abs=0.05)
    said("evaluate", f"run={run}", "split=val", f"output={tmp_path}", folder=tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text())["metrics"]["accuracy"] > 0.95


def test_a_table_of_files_is_predicted_with_its_columns_and_a_folder_is_refused(
    run, stripes, tmp_path
) -> None:
    said("predict", f"run={run}", f"source={stripes / 'labels.csv'}", "output=found.csv", folder=tmp_path)
    rows = list(csv.DictReader((tmp_path / "found.csv").open()))
    true = {row["file"]: row["label"] for row in csv.DictReader((stripes / "labels.csv").open())}
    right = [row["class"] == true[Path(row["file"]).name] for row in rows]
    assert len(right) == COUNT
    assert np.mean(right) > 0.95
    found = in_process.imagelab("predict", f"run={run}", f"source={stripes}", folder=tmp_path)
    assert found.status == 2
    assert "sees age and site besides the image" in found.err
    assert "the columns file,age,site" in found.err


def test_from_python_rows_go_along_with_the_images(run) -> None:
    predictor = imagelab.load(run)
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    young, old = predictor.images([pixels] * 2, [{"age": 30, "site": "n"}, {"age": 60, "site": "n"}])
    assert abs(young - old).max() > 0.01
    with pytest.raises(imagelab.Problem, match="sees age and site besides the image"):
        predictor.images([pixels])


def test_a_checkpoint_keeps_how_numbers_were_standardised(run, tmp_path) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["imagelab"]
    cfg = read_config(run)
    known = Preprocess.from_dict(content["preprocess"])
    age = known.signals[0]
    shifted = replace(known, signals=[age | {"mean": age["mean"] + age["std"]}, known.signals[1]])
    own, other = (build_data(cfg, given).signals["val"] for given in (known, shifted))
    there = build_data(cfg).signals["val"]
    assert torch.equal(own, there)
    moved = (own - other)[:, 0]
    assert set(moved.round(decimals=5).tolist()) <= {0.0, 1.0}  # 0 where it is missing
    assert moved.mean() > 0.9


@pytest.mark.slow
def test_an_exported_file_takes_them_too(run, stripes, tmp_path) -> None:  # room: exporting
    pytest.importorskip("onnxruntime")
    said("export", f"run={run}", f"output={tmp_path / 'model.onnx'}", folder=tmp_path)
    card = json.loads((tmp_path / "labels.json").read_text())
    assert card["signals"]["names"] == ["age", "site=n", "site=s"]
    tables = []
    for where in (run, tmp_path / "model.onnx"):
        words = [f"run={where}", f"source={stripes / 'labels.csv'}", "output=found.csv"]
        said("predict", *words, folder=tmp_path)
        rows = list(csv.DictReader((tmp_path / "found.csv").open()))
        tables.append(np.array([[float(row["a"]), float(row["b"])] for row in rows]))
    assert tables[0] == pytest.approx(tables[1], abs=1e-5)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_in_the_same_bits(words, tmp_path) -> None:
    more = ["trainer.max_epochs=4", "save_every=0.01", "augment=[flip,mixup]", "data.limit=120"]
    whole, killed = in_process.trained(*words, *more, folder=tmp_path), tmp_path / "killed"
    kill_somewhere([*words, *more, f"hydra.run.dir={killed}"], tmp_path, "anywhere", random.Random(3))
    said("train", f"resume={killed}", folder=tmp_path)
    assert_same(outcome(whole), outcome(killed))


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(words, tmp_path) -> None:
    more = ["trainer.precision=64-true", "trainer.sync_batchnorm=true", "trainer.max_epochs=2", "trick=[]"]
    two = [*words, *more, "trainer=ddp_cpu", "data.batch_size=16", f"hydra.run.dir={tmp_path / 'two'}"]
    finish(two, tmp_path)
    one, both = outcome(in_process.trained(*words, *more, folder=tmp_path)), outcome(tmp_path / "two")
    for name, weights in one["weights"].items():
        torch.testing.assert_close(both["weights"][name], weights, rtol=1e-4, atol=1e-5, msg=name)


REFUSED = {
    "task=simclr augment=[crop]": "data.signals: task=simclr learns from images alone",
    "data.extra=more": "data.extra: nothing is known of the age and site of these pictures",
    "trick=[distill] trick.distill.teacher=last trick.distill.unlabelled=more": "trick.distill",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_have_columns_is_refused_before_the_run(words) -> None:
    own = ["data=folder", "data.root=photos", "data.signals=[image,age,site]"]
    composed = compose("train", [*own, *words.split()])
    assert composed.cfg is not None, composed.problems
    assert any(sentence.startswith(REFUSED[words]) for sentence in problems(plain(composed.cfg)))


OF_PICTURES = [
    "serve",  # room: serving
    "embed source=.",  # room: embedding
]


@pytest.mark.parametrize("command", OF_PICTURES)
def test_commands_on_pictures_alone_are_refused(command, run, stripes) -> None:
    name, *words = command.split()
    found = in_process.imagelab(name, f"run={run}", *words, folder=stripes)
    assert found.status == 2
    assert "sees age and site besides the image" in found.err
