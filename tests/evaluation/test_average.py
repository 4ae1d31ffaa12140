"""`imagelab evaluate` of several runs, checkpoints and views averages their predictions."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imagelab
from imagelab.build import build_data
from imagelab.runs.files import read_config
from tests import in_process
from tests.test_evaluate import PHOTOS, evaluated, read, refused, write_photos

LIMIT = ["data.limit=500", "trainer.max_epochs=3"]
SNAPSHOTS = ["trick=[snapshots]", "schedule=cosine_restarts", "schedule.first_cycle=0.3334"]
SECOND = ["trick=[ema]", "seed=1", "optimizer.lr=0.01"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> list[Path]:
    """Two runs on digits, the first with three snapshots, the second with an average."""
    folder = tmp_path_factory.mktemp("pair")
    first = in_process.trained(*LIMIT, *SNAPSHOTS, "schedule.multiplier=1", folder=folder)
    first = first.rename(folder / "a")
    second = in_process.trained(*LIMIT, *SECOND, folder=folder)
    return [first, second.rename(folder / "b")]


@pytest.fixture(scope="module")
def images(pair):
    return build_data(read_config(pair[0])).splits["test"]


def evaluation(*words: str, folder: Path) -> tuple[dict, str]:
    """What evaluating with these words wrote and showed."""
    said = in_process.imagelab("evaluate", *words, folder=folder)
    assert said.status == 0, said
    return json.loads((folder / said.out.split("Written to ")[1].strip()).read_text()), said.out


def said_by(files, images) -> np.ndarray:
    """(M, N, K), by each checkpoint alone."""
    return np.stack([imagelab.load(file)(images.images).numpy() for file in files])


def assert_mean(found: dict, said: np.ndarray, labels: np.ndarray) -> None:
    mean = said.mean(0)
    assert found["metrics"]["accuracy"] == pytest.approx((mean.argmax(1) == labels).mean())
    nll = -np.log(mean[np.arange(len(labels)), labels]).mean()
    assert found["metrics"]["loss"] == pytest.approx(nll, abs=1e-5)
    assert found["calibration"]["nll"] == pytest.approx(nll, abs=1e-5)
    predicted = said.argmax(2)
    assert found["disagreement"]["share"] == pytest.approx((predicted != predicted[0]).any(0).mean())
    pairs = np.array([[(one != other).mean() for other in predicted] for one in predicted])
    assert np.allclose(found["disagreement"]["pairs"], pairs)
    assert pairs.max() > 0


def test_an_ensemble_averages_its_members_and_shows_each(pair, images, tmp_path):
    alone = [evaluated(run) for run in pair]
    before = [(run / "evaluation.json").read_bytes() for run in pair]
    found, shown = evaluation(f"run=[{pair[0]},{pair[1]}]", "predictions=true", folder=tmp_path)
    said = said_by(pair, images)
    assert_mean(found, said, images.labels)
    for row, metrics in zip(found["members"], alone, strict=True):
        assert row["metrics"] == pytest.approx(metrics, abs=1e-6)
        assert row["calibration"]["ece"] == pytest.approx(metrics["ece"], abs=1e-6)
        assert f"{metrics['accuracy']:.4f}" in shown
    assert [row["name"] for row in found["members"]] == ["a", "b"]
    assert found["run"] == [str(run) for run in pair]
    for words in (
        "mean of all",
        f"{found['metrics']['accuracy']:.4f}",
        "The members disagree",
        "Calibration",
    ):
        assert words in shown
    assert [(run / "evaluation.json").read_bytes() for run in pair] == before
    (table,) = tmp_path.glob("logs/evaluate/*/evaluation.csv")
    rows = list(csv.DictReader(table.open()))
    probabilities = np.array([[float(row[name]) for name in "0123456789"] for row in rows])
    assert np.allclose(probabilities, said.mean(0), atol=1e-5)


def test_all_snapshots_or_the_last_few_can_be_members(pair, images, tmp_path):
    files = [pair[0] / "checkpoints" / f"snapshot_{number}.ckpt" for number in (1, 2, 3)]
    for words, chosen in (([], files), (["snapshots=2"], files[1:])):
        found = evaluation(f"run={pair[0]}", "members=snapshots", *words, folder=tmp_path)[0]
        assert [row["checkpoint"] for row in found["members"]] == [file.stem for file in chosen]
        assert_mean(found, said_by(chosen, images), images.labels)
    assert read(pair[0], "evaluation.json")["run"] == str(pair[0])  # one run: beside it


def test_checkpoints_and_runs_can_be_mixed_with_any_weights(pair, images, tmp_path):
    last = pair[1] / "checkpoints" / "last.ckpt"
    found = evaluation(f"run=[{pair[0]},{last}]", f"output={tmp_path / 'here'}", folder=tmp_path)[0]
    assert_mean(found, said_by([pair[0], last], images), images.labels)
    assert (tmp_path / "here" / "evaluation.json").exists()
    raw = evaluation(f"run={pair[1]}", "members=[best,last]", "weights=raw", folder=tmp_path)[0]
    assert {row["weights"] for row in raw["members"]} == {"raw"}
    better = torch.load(last, weights_only=True)["weights"]
    assert found["members"][1]["weights"] == better
    assert found["weights"] == ("raw" if better == "raw" else ["raw", "ema"])
    sentence = refused(f"[{pair[0]},{pair[1]}]", "weights=ema", folder=tmp_path)
    assert sentence == "weights=ema: the checkpoint has raw weights"


def test_the_runs_of_a_sweep_are_members(pair, images, tmp_path):
    for number, run in enumerate(pair):
        shutil.copytree(run, tmp_path / "sweep" / str(number))
    found = evaluation(f"sweep={tmp_path / 'sweep'}", folder=tmp_path)[0]
    assert_mean(found, said_by(pair, images), images.labels)
    assert (tmp_path / "sweep" / "evaluation.json").exists()


def relabelled(run: Path, folder: Path, change) -> Path:
    """A copy of a run whose network has learnt the same under other names."""
    run = Path(shutil.copytree(run, folder))
    file = run / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    content["imagelab"]["classes"] = change(content["imagelab"]["classes"])
    torch.save(content, file)
    return run


def test_reordered_classes_are_aligned_and_other_classes_refused(pair, images, tmp_path):
    turned = relabelled(pair[1], tmp_path / "turned", lambda names: names[::-1])
    found = evaluation(f"run=[{pair[0]},{turned}]", folder=tmp_path)[0]
    said = said_by(pair, images)
    assert_mean(found, np.stack([said[0], said[1][:, ::-1]]), images.labels)
    other = relabelled(pair[1], tmp_path / "other", lambda names: ["zero", *names[1:]])
    sentence = refused(f"[{pair[0]},{other}]", folder=tmp_path)
    assert sentence == (
        f"run: the members must have the same classes, but {pair[0]} and {other} differ: "
        f"0 only in {pair[0]}, zero only in {other}"
    )


def test_views_of_a_run_are_averaged_and_reported(pair, images, tmp_path):
    found, shown = evaluation(f"run={pair[0]}", "tta=flip", folder=tmp_path)
    predictor = imagelab.load(pair[0])
    both = np.stack([predictor(batch).numpy() for batch in (images.images, images.images.flip(-1))])
    assert found["metrics"]["accuracy"] == pytest.approx((both.mean(0).argmax(1) == images.labels).mean())
    assert found["tta"] == {"name": "Flip", "views": 2}
    assert "mean of 2 views" in shown
    full = evaluation(f"run={pair[0]}", "tta=full", "tta.scales=[8,9]", "batch_size=50", folder=tmp_path)[0]
    assert full["tta"] == {"name": "TenCrop", "views": 20, "scales": [8, 9]}
    assert full["metrics"].keys() == found["metrics"].keys() == read(pair[0], "results.json")["test"].keys()
    assert "use 8 or more" in refused(pair[0], "tta=ten_crop", "tta.scales=[7]", folder=tmp_path)
    assert "did you mean 'ten_crop'?" in refused(pair[0], "tta=tencrop", folder=tmp_path)


@pytest.fixture(scope="module")
def photo_runs(tmp_path_factory) -> list[Path]:
    """Three runs on the same photos, which lie in files, shrunk, and in memory at another size."""
    folder = tmp_path_factory.mktemp("photo_runs")
    photos = write_photos(folder / "photos")
    for file in [*photos.rglob("*.jpg")]:  # so that every decoder gives the same pixels for any scale
        Image.open(file).save(file.with_suffix(".png"))
        file.unlink()
    words = [*PHOTOS, f"data.root={photos}", "trainer.max_epochs=1"]
    kept = {"files": [], "shrunk": ["seed=1"], "memory": ["data.size=20"]}
    return [
        in_process.trained(*words, f"data.storage={name}", *more, folder=folder).rename(folder / name)
        for name, more in kept.items()
    ]


def test_members_that_store_photos_differently_predict_as_each_alone(photo_runs, tmp_path):
    order = photo_runs[::-1]  # the first keeps them too small for the others
    found = evaluation(f"run=[{','.join(map(str, order))}]", folder=tmp_path)[0]
    for row, run in zip(found["members"], order, strict=True):
        assert row["metrics"] == pytest.approx(evaluated(run), abs=1e-5)


@pytest.mark.parametrize("place", [1, 2])
def test_predict_with_views_agrees_with_evaluate(photo_runs, tmp_path, place):
    run = photo_runs[place]
    words = [f"run={run}", "tta=full", "tta.scales=[1.0,1.5]", "batch_size=30"]
    evaluation(*words, "predictions=true", folder=tmp_path)
    wanted = {
        Path(row["file"]).stem + row["given"]: row for row in csv.DictReader((run / "evaluation.csv").open())
    }
    files = sorted((run.parent / "photos").rglob("*.png"))
    broken = tmp_path / "source" / "broken.png"
    shutil.copytree(run.parent / "photos", broken.parent)
    broken.write_text("no picture")
    said = in_process.imagelab(
        "predict", *words, f"source={broken.parent}", "output=out.csv", folder=tmp_path
    )
    assert said.status == 0, said
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert len(rows) == len(files) + 1
    assert [row["file"] for row in rows if row["error"]] == [str(broken)]
    found = {Path(row["file"]).stem + Path(row["file"]).parent.name: row for row in rows}
    for key, row in wanted.items():
        assert float(found[key]["darker"]) == pytest.approx(float(row["darker"]), abs=2e-6)
    assert len(wanted) == 16
