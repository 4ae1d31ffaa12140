"""Values and several classes go through every command, as classes do."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, mean_absolute_error

import imagelab
from imagelab.build import build_data
from imagelab.config.compose import compose
from imagelab.runs.files import read_config
from tests import in_process
from tests.fitting import SHORT
from tests.runs_of_the_command import assert_same, finish, outcome
from tests.test_resume import kill_somewhere

KINDS = {
    "regress": (["task=regress", "data=digits_facts"], "mae", "r2"),
    "multilabel": (["task=multilabel", "data=digits_facts"], "ap_macro", "ap_macro"),
}
QUICK = ["model.widths=[8,16]", "optimizer.lr=0.01"]


def said(command: str, *words: str, folder: Path) -> str:
    found = in_process.imagelab(command, *words, folder=folder)
    assert found.status == 0, found
    return found.out


def findings(file: Path) -> dict:
    return {one["name"]: one for one in json.loads(file.read_text())}


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())["test"]


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def words(kind) -> list[str]:
    return [*SHORT, *KINDS[kind][0], *QUICK]


@pytest.fixture(scope="module")
def run(words, tmp_path_factory) -> Path:
    return in_process.trained(*words, "trainer.max_epochs=3", folder=tmp_path_factory.mktemp("run"))


def test_the_task_brings_its_loss_and_another_is_taken_if_given(kind):
    own, given = {"regress": ("MSELoss", "l1"), "multilabel": ("BinaryCrossEntropy", "focal")}[kind]
    cfg = compose("train", [f"task={kind}"]).cfg
    assert cfg is not None
    assert cfg["loss"]["_target_"].endswith(f".{own}")
    other = compose("train", [f"task={kind}", f"loss={given}"]).cfg
    assert other is not None
    assert other["loss"]["_target_"].lower().endswith(f".{given}" + "loss" * (given == "l1"))


def test_killed_and_resumed_it_ends_in_the_same_bits(words, tmp_path):
    more = ["trainer.max_epochs=5", "save_every=0.01", "augment=[flip,mixup]", "model.dropout=0.2"]
    more += ["trick=[ema]", "trainer.accumulate_grad_batches=2"]
    whole, killed = in_process.trained(*words, *more, folder=tmp_path), tmp_path / "killed"
    kill_somewhere([*words, *more, f"hydra.run.dir={killed}"], tmp_path, "anywhere", random.Random(3))
    assert not (killed / "results.json").exists()
    said("train", f"resume={killed}", folder=tmp_path)
    assert_same(outcome(whole), outcome(killed))


def test_two_processes_equal_one_with_twice_the_batch(words, tmp_path):
    more = ["trainer.precision=64-true", "trainer.sync_batchnorm=true", "trainer.max_epochs=2"]
    two = [*words, *more, "trainer=ddp_cpu", "data.batch_size=32", f"hydra.run.dir={tmp_path / 'two'}"]
    finish(two, tmp_path)
    one = outcome(in_process.trained(*words, *more, folder=tmp_path))
    both = outcome(tmp_path / "two")
    for name, weights in one["weights"].items():
        torch.testing.assert_close(both["weights"][name], weights, rtol=1e-4, atol=1e-5, msg=name)
    for split in ("val", "test"):
        assert both["results"][split] == pytest.approx(one["results"][split], abs=1e-4)


def test_views_and_members_are_averaged_as_predictions(run, kind, tmp_path):
    said("evaluate", f"run={run}", "members=[best,last]", "tta=flip", f"output={tmp_path}", folder=tmp_path)
    found = json.loads((tmp_path / "evaluation.json").read_text())["metrics"]
    nets = [imagelab.load(run / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")]
    images = build_data(read_config(run)).splits["test"]
    views = (images.images, images.images.flip(-1))
    mean = torch.stack([net(view) for net in nets for view in views]).mean(dim=0)
    by_hand = {"regress": mean_absolute_error, "multilabel": average_precision_score}[kind]
    assert found[KINDS[kind][1]] == pytest.approx(by_hand(images.labels, mean.numpy()), rel=1e-4)


def test_a_set_of_classes_is_refused_before_a_table_is_written(run, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    found = in_process.imagelab(
        "predict", f"run={run}", "source=a.png", "set=0.9", "output=out.csv", folder=tmp_path
    )
    assert found.status == 2
    assert "a run that predicts one class per image" in found.err
    assert not (tmp_path / "out.csv").exists()


def test_the_page_and_its_json_say_what_predict_says(run, kind, tmp_path):  # room: serving
    from imagelab.serving.answers import Answers
    from tests.served import content, serving

    images = build_data(read_config(run)).splits["test"].images[:3]
    pictures = {f"{place}.png": content(image[0].numpy()) for place, image in enumerate(images)}
    for name, picture in pictures.items():
        (tmp_path / name).write_bytes(picture)
    said("predict", f"run={run}", "source=.", "output=p.csv", folder=tmp_path)
    keys: dict[str, Any] = {"level": None, "score": None, "explain": False, "near": None}
    with serving(Answers(imagelab.load(run), max_pixels=10_000, **keys)) as client:
        about = json.loads(client.ask("GET", "/about")[1])
        for row in csv.DictReader((tmp_path / "p.csv").open()):
            found = client.predict(pictures[row["file"]])
            for name, value in found["predictions"].items():
                assert value == pytest.approx(float(row[name]), abs=1e-4)
            assert found["summary"] == ({"classes": row["classes"]} if kind == "multilabel" else {})
    assert about["predicts"] == {"regress": "values", "multilabel": "tags"}[kind]


def test_a_packed_copy_has_the_same_labels_and_trains(words, kind, tmp_path):  # room: data/arrow
    from imagelab.data.arrow import Arrow
    from imagelab.data.digits_facts import DigitsFacts

    said("pack", *KINDS[kind][0], "output=packed", "shard_size=0.1", folder=tmp_path)
    knobs = {"subset": None, "image": "image", "label": "label", "on_bad_image": "error"}
    copied = Arrow(root=str(tmp_path / "packed"), **knobs, labelled=True, max_pixels=100)
    facts = DigitsFacts(takes="values" if kind == "regress" else "multilabel")
    assert copied.classes == facts.classes
    np.testing.assert_array_equal(copied.splits["train"].labels, facts.splits["train"].labels)
    packed = ["data=arrow", f"data.root={tmp_path / 'packed'}", "data.size=8", "data.workers=0"]
    run = in_process.trained(*words, *packed, "trainer.max_epochs=3", folder=tmp_path)
    assert results(run)[KINDS[kind][2]] > 0.05


def test_a_rate_is_found(words, tmp_path):  # room: finders
    said("find_lr", *words, "data.limit=400", "hydra.run.dir=out", folder=tmp_path)
    assert 1e-5 < findings(tmp_path / "out" / "find_lr.json")["suggested rate"]["value"] < 1


def test_a_sound_run_passes_the_check(words, tmp_path):  # room: checks
    said("check", *words, "hydra.run.dir=out", folder=tmp_path)
    found = findings(tmp_path / "out" / "check.json")
    assert found["metrics of the whole split"]["status"] == "OK"
    assert not [name for name, one in found.items() if one["status"] == "FAIL"]


def test_the_data_are_inspected(words, kind, tmp_path):  # room: inspection
    said("inspect", *words, "data.limit=100", "hydra.run.dir=out", folder=tmp_path)
    found = findings(tmp_path / "out" / "inspection.json")
    assert {"regress": "values of ink", "multilabel": "rare classes"}[kind] in found


def test_a_sweep_ranks_the_trial_that_learns_first(words, kind, tmp_path):  # room: sweep
    said("train", "-m", *words, "optimizer.lr=1e-9,0.01", "hydra.sweep.dir=sweep", folder=tmp_path)
    with (tmp_path / "sweep" / "sweep.csv").open() as lines:
        scores = {row["optimizer.lr"]: float(row[f"val/{KINDS[kind][2]}"]) for row in csv.DictReader(lines)}
    assert scores["0.01"] > scores["1e-09"]


def test_an_exported_program_predicts_what_the_run_predicts(run, tmp_path):  # room: exporting
    images = build_data(read_config(run)).splits["test"].images[:3]
    (tmp_path / "in").mkdir()
    for place, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(tmp_path / "in" / f"{place}.png")
    said("export", f"run={run}", "format=torch_export", "output=net.pt2", folder=tmp_path)
    tables = []
    for words in ([f"run={run}"], ["run=net.pt2", "trust=net.pt2"]):
        said("predict", *words, "source=in", "output=out.csv", folder=tmp_path)
        tables.append(list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines())))
    names = ("file", "classes", "error")
    for own, other in zip(*tables, strict=True):
        assert [own.get(name) for name in names] == [other.get(name) for name in names]
        numbers = [{key: float(row[key]) for key in row.keys() - {*names}} for row in (own, other)]
        assert numbers[1] == pytest.approx(numbers[0], abs=1e-3)
