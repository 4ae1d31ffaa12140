"""Resuming a run: what is refused, and that a refused run is left unchanged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fitting import built
from tests.in_process import imagelab, trained

SHORT = ["trainer=cpu", "trainer.max_epochs=1", "data.limit=300"]
PHOTOS = ["data=folder", "data.root=data", "data.batch_size=4", "data.limit=null"]


def pictures(folder: Path) -> None:
    """Twenty small pictures of noise."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(20):
        Image.fromarray(rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)).save(folder / f"{i}.png")


@pytest.fixture
def killed(digits, tmp_path) -> Path:
    """A copy of the finished run, as a kill in its last moment would have left it."""
    run = tmp_path / "killed"
    shutil.copytree(digits, run)
    (run / "results.json").unlink()
    return run


def test_a_run_resumes_only_with_its_own_config(killed, tmp_path):
    said = imagelab("train", f"resume={killed}", "optimizer.lr=0.1", "seed=3", folder=tmp_path)
    assert said.status == 2
    assert said.err.startswith("resume uses the run's own config; leave out optimizer.lr=0.1 seed=3")


def test_a_run_whose_data_changed_does_not_resume(tmp_path):
    pictures(tmp_path / "data/cat")
    pictures(tmp_path / "data/dog")
    run = trained(*SHORT, *PHOTOS, folder=tmp_path)
    (run / "results.json").unlink()
    (tmp_path / "data/cat/0.png").unlink()
    content = sorted(run.rglob("*"))
    said = imagelab("train", f"resume={run}", folder=tmp_path)
    assert said.status == 2
    assert "The data have changed since this run began: counts then train 28, " in said.err
    pictures(tmp_path / "data/mouse")
    said = imagelab("train", f"resume={run}", folder=tmp_path)
    assert said.status == 2
    assert "classes then cat, dog; now cat, dog, mouse" in said.err
    assert sorted(run.rglob("*")) == content


def test_a_run_whose_decisions_were_edited_does_not_resume_and_its_evaluation_says_so(tmp_path):
    table, lines = tmp_path / "decisions.csv", [f"train/{k},relabel,3" for k in range(50)]
    table.write_text("\n".join(["file,decision,label", *lines, "train/60,drop,"]))
    run = trained(*SHORT, "data.limit=null", f"data.decisions={table}", folder=tmp_path)
    said = imagelab("evaluate", f"run={run}", folder=tmp_path)
    assert "changed since the run began" not in said.out
    (run / "results.json").unlink()
    for edited in ([*lines[:-25], "train/60,drop,"], [*lines, "train/61,drop,"]):
        table.write_text("\n".join(["file,decision,label", *edited]))
        said = imagelab("train", f"resume={run}", folder=tmp_path)
        assert said.status == 2
        assert "The data have changed since this run began: " in said.err
    table.write_text("\n".join(["file,decision,label", *lines[:-25], "train/60,drop,"]))
    said = imagelab("evaluate", f"run={run}", folder=tmp_path)
    assert "The images of test or their labels have changed since the run began." in said.out
    shutil.copytree(run, tmp_path / "copy")
    for words in (["tta=flip", f"run={run}"], [f"run=[{run},copy]"]):
        said = imagelab("evaluate", *words, folder=tmp_path)
        assert "The images of test or their labels have changed since the run began." in said.out
    assert "copy: the images of test or their labels have changed since the run began." in said.out


def test_without_an_intact_checkpoint_a_run_does_not_resume(killed, tmp_path):
    for path in (killed / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    said = imagelab("train", f"resume={killed}", folder=tmp_path)
    assert said.status == 2
    assert f"resume={killed}: there is no checkpoint to resume from" in said.err
    assert "last.ckpt is damaged" in said.err
    assert "previous.ckpt is damaged" in said.err


def test_a_trained_run_that_lost_its_checkpoints_does_not_start_over(killed, tmp_path):
    shutil.rmtree(killed / "checkpoints")
    rows = (killed / "metrics.csv").read_text()
    said = imagelab("train", f"resume={killed}", folder=tmp_path)
    assert said.status == 2
    assert f"{killed / 'checkpoints'} is gone" in said.err
    assert (killed / "metrics.csv").read_text() == rows


def test_a_damaged_config_is_named(killed, tmp_path):
    (killed / "config.yaml").write_text("seed: [1")
    said = imagelab("train", f"resume={killed}", folder=tmp_path)
    assert said.status == 2
    assert f"{killed / 'config.yaml'} cannot be read" in said.err


def test_a_run_killed_while_it_wrote_its_report_is_completed_by_resume(digits, tmp_path):  # room: reports
    run = tmp_path / "killed"
    shutil.copytree(digits, run)
    results = json.loads((digits / "results.json").read_text())
    table = (run / "val_predictions.csv").read_text()
    for name in ("val_predictions.csv", "report.json", "report.html"):
        (run / name).unlink()
    (run / "results.json").write_text(json.dumps(results | {"status": "stopped"}))
    (run / "checkpoints" / ".last.ckpt.123.tmp").write_bytes(b"half")
    said = imagelab("train", f"resume={run}", folder=tmp_path)
    assert said.status == 0, said
    assert (run / "val_predictions.csv").read_text() == table
    assert not list((run / "checkpoints").glob(".*")), "what a killed writer left"
    assert "confusion" in (run / "report.html").read_text().lower()
    resumed = json.loads((run / "results.json").read_text())
    assert {key: resumed[key] for key in ("status", "best", "val", "test")} == {
        key: results[key] for key in ("status", "best", "val", "test")
    }


def test_results_call_a_run_finished_only_when_its_report_is_written(tmp_path, monkeypatch):  # room: reports
    from imagelab.reports import of_run

    found = []

    def report(cfg, folder, parts, results):
        found.append(json.loads((folder / "results.json").read_text())["status"])
        return {}

    monkeypatch.setattr(of_run, "lines_after_training", report)
    run = trained(*SHORT, folder=tmp_path)
    assert found == ["stopped"]
    assert json.loads((run / "results.json").read_text())["status"] == "finished"


def test_the_card_keeps_where_the_weights_came_from(digits, tmp_path):
    words = [*SHORT, f"model.weights={digits}"]
    begun = built(words, tmp_path).classifier.card
    resumed = built(words, tmp_path, known=begun).classifier.card
    assert begun["model"]["weights"] == resumed["model"]["weights"] == str(digits)
