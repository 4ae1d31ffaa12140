"""Cross-validation: one run per fold; all images are predicted by runs that never saw them."""

import csv
import json
import os
import sys
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from PIL import Image
from torch.nn import CrossEntropyLoss

from imagelab import finding
from imagelab.config.rules.values import _fold_is_one_of_the_folds
from imagelab.evaluation.per_class import wilson
from imagelab.metrics.table import row_of
from imagelab.runs import files
from imagelab.sweep import fold_summary
from imagelab.sweep.fold_summary import Combination, summary
from imagelab.sweep.kfold import KFold
from imagelab.sweep.out_of_fold import HeldOut, table
from imagelab.sweep.plan import make_plan
from imagelab.sweep.space import parsed
from imagelab.sweep.trial import Row
from imagelab.task.classify import Classify
from tests import in_process
from tests.sweep.made import sweep

KFOLD = ["-m", "sweep=kfold", "hydra.sweep.dir=here"]
TESTED = {"test/accuracy": 0.5}
BRIEF = ["trainer=cpu", "trainer.max_epochs=3", "data.limit=240", "data.batch_size=40", "logger=[csv]"]


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """A cross-validation that was stopped after its first fold, and went on."""
    folder = tmp_path_factory.mktemp("kfold")
    said = in_process.imagelab("train", *KFOLD, "data.folds=3", *BRIEF, folder=folder)
    assert said.status == 0, said
    (folder / "said").write_text(said.out)
    return folder / "here"


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def test_if_no_run_finishes_a_sentence_says_that_nothing_is_predicted(tmp_path):
    def failed(_cfg):
        return {"status": "failed", "error": "OSError: disk full"}

    said = sweep(failed, *KFOLD, "data.folds=3", folder=tmp_path)
    assert said.status == 2
    assert "There are no out-of-fold predictions: no run has finished." in said.out
    assert "Traceback" not in said.out + said.err


def test_every_image_is_predicted_once_by_the_run_that_held_it_out(digits):
    from imagelab.build import build_data

    found = rows(digits / "out_of_fold.csv")
    pool = set()
    for fold in range(3):
        named = build_data(files.read_config(digits / str(fold))).named
        pool = {*named["train"].names, *named["val"].names}
        held = {row["file"]: row["label"] for row in found if row["fold"] == str(fold)}
        assert held == dict(zip(named["val"].names, map(str, named["val"].labels), strict=True))
    assert sorted(row["file"] for row in found) == sorted(pool)
    assert len(found) == 240


def test_the_predictions_are_those_of_each_run_s_own_report(digits):  # room: reports
    for fold in range(3):
        own = {row["file"]: row for row in rows(digits / str(fold) / "val_predictions.csv")}
        for row in rows(digits / "out_of_fold.csv"):
            if row["fold"] == str(fold):
                assert row["predicted"] == own[row["file"]]["predicted"]
                mine = float(own[row["file"]]["probability_of_given"])
                assert float(row[row["label"]]) == pytest.approx(mine, abs=2e-5)
                assert sum(float(row[str(digit)]) for digit in range(10)) == pytest.approx(1, abs=1e-5)


def test_inspect_uses_the_predictions_to_find_wrong_labels(digits):  # room: inspection
    from imagelab.inspection.collection import collect
    from imagelab.inspection.given_predictions import given_predictions

    seen = collect(files.read_config(digits / "0"))
    named = {"names": seen.names.tolist(), "splits": seen.splits.tolist(), "classes": seen.classes}
    found = given_predictions(str(digits / "out_of_fold.csv"), **named)
    lines = rows(digits / "out_of_fold.csv")
    assert [seen.classes[seen.labels[place]] for place in found.places] == [row["label"] for row in lines]
    assert set(found.fold) == {"0", "1", "2"}


def test_mean_standard_deviation_and_interval_are_those_of_the_folds(digits):
    found = {one.name: one for one in finding.read(digits / "kfold.json")}
    for name in ("val/accuracy", "val/loss", "test/accuracy"):
        split, metric = name.split("/")
        folds = [results(digits / str(fold))[split][metric] for fold in range(3)]
        assert found[name].value["folds"] == pytest.approx(folds, abs=1e-5)
        assert found[name].value["mean"] == pytest.approx(fmean(folds), abs=1e-5)
        assert found[name].value["sd"] == pytest.approx(stdev(folds), abs=1e-5)
    right = sum(row["predicted"] == row["label"] for row in rows(digits / "out_of_fold.csv"))
    low, high = wilson(right, 240)
    pooled = {"accuracy": right / 240, "low": low, "high": high, "images": 240}
    assert found["out-of-fold accuracy"].value == pytest.approx(pooled)
    line = rows(digits / "kfold.csv")[0]
    assert float(line["out_of_fold"]) == pytest.approx(right / 240)
    assert float(line["val/accuracy sd"]) == pytest.approx(found["val/accuracy"].value["sd"])
    said = " ".join((digits.parent / "said").read_text().split())
    assert f"val/accuracy {found['val/accuracy'].value['mean']:.4f} ± " in said
    assert (
        f"{right / 240:.4f} of 240 images, 95% interval {low:.4f} to {high:.4f}: here/out_of_fold.csv" in said
    )


def test_each_fold_normalises_with_its_own_training_images(digits):
    import torch

    from imagelab.build import build_data

    for fold in range(3):
        images = build_data(files.read_config(digits / str(fold))).named["train"].images
        card = torch.load(digits / str(fold) / "checkpoints" / "best.ckpt", weights_only=True)["imagelab"]
        pixels = images.images.double() / 255  # pyright: ignore[reportAttributeAccessIssue]
        assert card["preprocess"]["mean"] == pytest.approx([pixels.mean().item()], abs=1e-9)


def test_the_folds_models_are_averaged_on_the_test_images(digits):
    (digits.parent / "logs").symlink_to(digits.parent)
    said = in_process.imagelab("evaluate", "sweep=last", folder=digits.parent)
    assert said.status == 0, said
    found = json.loads((digits / "evaluation.json").read_text())
    assert found["notes"] == []
    tested = [results(digits / str(fold))["test"]["accuracy"] for fold in range(3)]
    assert [member["metrics"]["accuracy"] for member in found["members"]] == pytest.approx(tested, abs=1e-5)
    assert found["metrics"]["accuracy"] > min(tested)


@pytest.mark.slow
def test_a_resumed_cross_validation_skips_finished_folds(tmp_path):
    seen = []

    def objective(cfg):
        seen.append((cfg["data"]["folds"], cfg["data"]["fold"]))
        if len(seen) == 2:
            raise SystemExit(143)
        return 0.5

    assert sweep(objective, *KFOLD, "data.folds=3", folder=tmp_path).status == 143
    said = sweep(objective, "resume=here", folder=tmp_path)
    assert (said.status, seen) == (0, [(3, 0), (3, 1), (3, 1), (3, 2)])
    assert "There are no out-of-fold predictions" in said.out  # of runs that were made up


def test_configurations_are_compared_on_the_same_folds_and_the_best_is_named():
    search = make_plan(["sweep=kfold", "data.folds=2", "optimizer.lr=0.001,0.003"]).search
    ranges = {name: parsed(name, text, name) for name, text in (("lr", "1,3"), ("data.fold", "0,1"))}
    search.begin(Path("here"), ranges, lower=False)
    trials = [search.overrides(number) for number in range(5)]
    assert [tuple(trial.values()) for trial in trials if trial] == [
        ("1", "0"),
        ("1", "1"),
        ("3", "0"),
        ("3", "1"),
    ]
    made = [
        Row(
            number=i,
            status="finished",
            overrides=trial or {},
            value=i / 10,
            test=TESTED,
            folder=Path(f"here/{i}"),
        )
        for i, trial in enumerate(trials[:4])
    ]
    assert search.next_commands(made) == {"average": "imagelab evaluate 'run=[here/2,here/3]'"}
    assert search.next_commands(made[:3]) == {"average": "imagelab evaluate 'run=[here/0,here/1]'"}
    search.begin(Path("here"), ranges, lower=True)
    assert search.next_commands(made) == {"average": "imagelab evaluate 'run=[here/0,here/1]'"}


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take only names in UTF-8")
def test_names_that_are_no_utf_8_go_through_folds_evaluation_and_report(tmp_path):
    rng = np.random.default_rng(0)
    for place in range(24):
        path = tmp_path / "photos" / "ab"[place % 2] / os.fsdecode(b"%d\xff.png" % place)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16, 3)).astype(np.uint8)).save(path)
    words = ["data=folder", "data.root=photos", "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=1"]
    commands = [
        ["train", *KFOLD, "data.folds=2", *words, "data.workers=0", "logger=[csv]"],
        ["evaluate", "run=here/0", "predictions=true"],
        ["report", "run=here/0"],  # room: reports
    ]
    for command in commands:
        said = in_process.imagelab(*command, folder=tmp_path)
        assert (said.status, "Traceback" in said.out + said.err) == (0, False), said
    tables = ["out_of_fold.csv", "0/evaluation.csv"]
    tables += ["0/val_predictions.csv"]  # room: reports
    for name in tables:
        lines = (tmp_path / "here" / name).read_bytes().splitlines()[1:]
        assert lines
        assert all(b"\xff.png" in line for line in lines)


def test_the_default_is_five_folds():
    plan = make_plan(["sweep=kfold"])
    assert plan.words == ["data.folds=5", "data.fold=range(0,5)"]
    assert make_plan(["sweep=kfold", "data.folds=10"]).words == ["data.folds=10", "data.fold=range(0,10)"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.fold=1"], "data.fold: sweep=kfold holds out each fold in turn"),
        (["data.folds=3,5"], "data.folds: wants a single number of folds, got a list"),
        (["data.folds=1"], "data.folds: wants 2 or more, got 1"),
        (["task=autoencoder", "augment=[noise]"], "sweep: kfold needs a task that predicts something"),
        (["optimizer.lr=interval(0.1,1)"], "optimizer.lr: a grid needs a list of values"),
    ],
)
def test_invalid_cross_validations_are_refused(words, sentence, tmp_path):
    said = sweep(lambda _: pytest.fail("it ran"), "-m", "sweep=kfold", *words, folder=tmp_path)
    assert said.status == 2
    assert sentence in said.err


def test_images_that_change_between_folds_are_refused():
    def held(fold, names, pool):
        ones = np.eye(2)[[0] * len(names)]
        zeros = np.zeros(len(names), dtype=np.int64)
        return HeldOut(
            fold=fold,
            names=names,
            labels=zeros,
            predictions=ones,
            predicted=zeros,
            task=Classify(loss=CrossEntropyLoss(), classes=["a", "b"]),
            metrics={},
            pool=pool,
        )

    assert table([held(0, ["x"], 2), held(1, ["y"], 2)]).splitlines()[1:] == [
        "x,a,0,a,1.000000,0.000000",
        "y,a,1,a,1.000000,0.000000",
    ]
    for changed in ([held(0, ["x"], 2), held(1, ["x"], 2)], [held(0, ["x"], 2), held(1, ["y"], 3)]):
        with pytest.raises(Exception, match="the images have changed since the first run"):
            table(changed)


class Folds(KFold):
    """A cross-validation that someone built on ours."""


@pytest.mark.parametrize("target", ["imagelab.sweep.kfold.KFold", "tests.sweep.test_kfold.Folds"])
def test_a_sweep_that_holds_out_folds_needs_no_fold_in_the_config(target):
    sweep = {"_target_": target}
    cfg = {"data": {"folds": 5, "fold": None}, "sweep": sweep}
    assert list(_fold_is_one_of_the_folds(cfg)) == []
    (sentence,) = _fold_is_one_of_the_folds(cfg | {"sweep": {"_target_": "imagelab.sweep.grid.Grid"}})
    assert sentence.startswith("data.fold: missing; set which of the 5 folds is held out")


@pytest.mark.parametrize(("metric", "best"), [("accuracy", "seed=1"), ("loss", "seed=0")])
def test_the_best_configuration_is_shown_first_in_either_direction(tmp_path, monkeypatch, metric, best):
    more = {"folds": 2, "images": 10, "judged_by": row_of(metric), "file": ""}
    found = {
        (("seed", str(seed)),): Combination(
            values=(("seed", str(seed)),), pooled=pooled, metrics={f"val/{metric}": [pooled] * 2}, **more
        )
        for seed, pooled in enumerate([0.5, 0.7])
    }
    monkeypatch.setattr(fold_summary, "_combination", lambda folder, place, values, *_: found[values])
    (shown,) = summary(tmp_path, {values: [] for values in found}, 2, "best")
    assert str(shown).split()[0] == best
