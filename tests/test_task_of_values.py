"""A task from outside the package, which predicts values, goes through every command."""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagelab
from imagelab.build import build_data
from imagelab.config.trust import trusting
from imagelab.exporting.formats import ENDINGS  # room: exporting
from imagelab.runs.files import read_config
from tests import in_process
from tests.fitting import SHORT
from tests.runs_of_the_command import assert_same, outcome
from tests.test_resume import kill_somewhere

HERE = "tests.stranger_task"
LEGS = [f"task._target_={HERE}.Legs", "++task.power=2.0"]
TRAINED = [*SHORT, *LEGS, "trainer.max_epochs=3", "optimizer.lr=0.01"]


def said(command: str, *words: str, folder: Path) -> str:
    """What a command says in a folder; it has to succeed."""
    found = in_process.imagelab(command, *words, folder=folder)
    assert found.status == 0, found
    return found.out


def rows(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module", autouse=True)
def trusted() -> Iterator[None]:
    """Let files name the task, as `trust=tests.stranger_task` does behind each command."""
    with trusting([HERE]):
        yield


@pytest.fixture(scope="module")
def run(trusted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_process.trained(*TRAINED, folder=tmp_path_factory.mktemp("legs"))


def truth(run: Path, split: str) -> np.ndarray:
    """The true values of a split, by the data alone."""
    return 2.0 + 2.0 * build_data(read_config(run)).splits[split].labels


def row_key(row: dict[str, str]) -> tuple[str, str, float]:
    return row["file"], row["true"], pytest.approx(float(row["predicted"]), abs=1e-4)


def assert_legs(file: Path, run: Path) -> None:
    """A table of predictions has the values that the run's network gives for those pictures."""
    images = build_data(read_config(run)).splits["test"].images[:4]
    wanted = imagelab.load(run)(images)[:, 0].tolist()
    assert [float(row["legs"]) for row in rows(file)] == pytest.approx(wanted, abs=1e-3)


def pictures(folder: Path, run: Path) -> None:
    """The first four test images as files."""
    folder.mkdir()
    for place, image in enumerate(build_data(read_config(run)).splits["test"].images[:4]):
        Image.fromarray(image[0].numpy()).save(folder / f"{place}.png")


def test_its_own_metric_names_the_best_epoch_and_is_in_the_bar_and_results(run):
    results = json.loads((run / "results.json").read_text())
    assert results["best"]["monitor"] == "val/mae"
    by_epoch = [float(row["val/mae"]) for row in rows(run / "metrics.csv") if row["val/mae"]]
    assert results["best"]["value"] == pytest.approx(min(by_epoch), abs=1e-6)
    assert set(results["test"]) == {"mae", "within_four", "loss"}
    assert "val/mae" in (run / "console.log").read_text()
    assert "train/accuracy" not in (run / "metrics.csv").read_text()


def test_evaluated_again_it_has_the_metrics_of_the_run_and_no_calibration(run, tmp_path):
    said("evaluate", f"run={run}", "predictions=true", folder=tmp_path)
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metrics"] == pytest.approx(json.loads((run / "results.json").read_text())["test"], abs=1e-6)
    assert found["calibration"] is None
    table = rows(run / "evaluation.csv")
    assert [*table[0]] == ["file", "given", "predicted", "legs"]
    off = [abs(float(row["predicted"]) - (2 + 2 * int(float(row["given"])))) for row in table]
    assert np.mean(off) == pytest.approx(found["metrics"]["mae"], abs=1e-3)


def test_views_and_members_are_averaged_as_values(run, tmp_path):
    words = [f"run={run}", f"output={tmp_path}"]
    said("evaluate", *words, "tta=flip", folder=tmp_path)
    viewed = json.loads((tmp_path / "evaluation.json").read_text())
    shown = said("evaluate", *words, "members=[best,last]", "tta=flip", folder=tmp_path)
    both = json.loads((tmp_path / "evaluation.json").read_text())
    assert both["members"][0]["metrics"] == pytest.approx(viewed["metrics"], abs=1e-6)
    assert "disagreement" not in both
    assert "nll" not in shown
    nets = [imagelab.load(run / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")]
    images = build_data(read_config(run)).splits["test"].images
    mean = np.mean([net(view).numpy() for net in nets for view in (images, images.flip(-1))], axis=0)
    assert both["metrics"]["mae"] == pytest.approx(np.abs(mean[:, 0] - truth(run, "test")).mean(), abs=1e-4)


def test_its_report_has_its_own_section_and_table_and_no_confusion(run):  # room: reports
    page = (run / "report.html").read_text()
    findings = {one["name"]: one for one in json.loads((run / "report.json").read_text())}
    best = json.loads((run / "results.json").read_text())["best"]["value"]
    assert findings["legs off"]["value"] == pytest.approx(best, abs=1e-5)
    assert ">Legs</h2>" in page
    assert ">Mae<" in page  # its curve
    assert "mae on test" in page
    for part in ("Confusion", "Calibration", "Accuracy"):
        assert f">{part}<" not in page
    table = rows(run / "val_predictions.csv")
    assert [float(row["true"]) for row in table] != sorted(float(row["true"]) for row in table)
    assert sorted(float(row["true"]) for row in table) == sorted(truth(run, "val").tolist())


def test_a_report_asked_for_later_says_the_same(run, tmp_path):  # room: reports
    before = (run / "val_predictions.csv").read_text()
    said("report", f"run={run}", folder=tmp_path)
    assert (run / "val_predictions.csv").read_text().splitlines()[0] == before.splitlines()[0]
    assert [*map(row_key, rows(run / "val_predictions.csv"))] == [
        *map(row_key, csv.DictReader(before.splitlines()))
    ]


def test_predict_writes_its_summary_and_values(run, tmp_path):
    pictures(tmp_path / "in", run)
    out = tmp_path / "out.csv"
    said(
        "predict",
        f"run={run}",
        f"trust={HERE}",
        f"source={tmp_path / 'in'}",
        f"output={out}",
        folder=tmp_path,
    )
    table = rows(out)
    assert [*table[0]] == ["file", "rounded", "legs", "error"]
    assert all(row["rounded"] == f"{float(row['legs']):.0f}" for row in table)
    assert_legs(out, run)


# room: exporting
@pytest.mark.parametrize("kind", ENDINGS)
def test_an_exported_file_gives_the_values_of_the_run(run, tmp_path, kind):
    if kind == "onnx":
        pytest.importorskip("onnxscript", reason="needs imagelab[export]")
    file = tmp_path / f"net{ENDINGS[kind]}"
    said("export", f"run={run}", f"format={kind}", f"output={file}", folder=tmp_path)
    card = json.loads((tmp_path / "labels.json").read_text())["output"]
    assert (card["name"], card["shape"], card["names"]) == ("legs", ["batch", 1], ["legs"])
    pictures(tmp_path / "in", run)
    words = [f"source={tmp_path / 'in'}", f"output={tmp_path / 'out.csv'}", f"trust={file}"]
    said("predict", f"run={file}", *words, folder=tmp_path)
    assert_legs(tmp_path / "out.csv", run)


# end
def test_a_sweep_compares_by_its_metric_and_its_direction(tmp_path):  # room: sweep
    words = [*SHORT, *LEGS, "monitor=val/within_four", "optimizer.lr=1e-9,0.01", "trainer.max_epochs=8"]
    said("train", "-m", *words, "hydra.sweep.dir=sweep", folder=tmp_path)
    table = rows(tmp_path / "sweep" / "sweep.csv")
    best = max(table, key=lambda row: float(row["val/within_four"]))
    assert best["optimizer.lr"] == "0.01"
    # room: reports
    said("report", "sweep=sweep", folder=tmp_path)
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "val/within_four" in page
    # end


def test_killed_and_resumed_it_ends_in_the_same_bits(tmp_path):
    words = [*TRAINED, "trainer.max_epochs=6", "save_every=0.01", "augment=[flip]", "model.dropout=0.2"]
    whole, killed = in_process.trained(*words, folder=tmp_path), tmp_path / "killed"
    kill_somewhere([*words, f"hydra.run.dir={killed}"], tmp_path, "anywhere", random.Random(3))
    assert not (killed / "results.json").exists()
    said("train", f"resume={killed}", folder=tmp_path)
    assert_same(outcome(whole), outcome(killed))
