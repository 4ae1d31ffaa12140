"""`imagelab runs` lists, sorts, filters and compares real runs."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest

from imagelab import list_runs
from imagelab.runs.csv_cells import read_rows
from tests import browser, in_process
from tests.in_process import Said

SHORT = ["trainer=cpu", "data.limit=300"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Three finished runs, one that was killed, and one whose config cannot be read."""
    folder = tmp_path_factory.mktemp("runs")
    runs = {
        "good": ["optimizer.lr=0.02", "trainer.max_epochs=4"],
        "bad": ["optimizer=momentum", "optimizer.lr=1e-6", "trainer.max_epochs=1"],
        "other": ["optimizer.lr=0.001", "trainer.max_epochs=2", "augment=[flip]", "seed=1"],
    }
    for name, words in runs.items():
        said = in_process.imagelab("train", *SHORT, *words, f"hydra.run.dir=logs/{name}", folder=folder)
        assert said.status == 0, said
    shutil.copytree(folder / "logs/good", folder / "logs/killed")
    (folder / "logs/killed/results.json").unlink()
    (folder / "logs/broken").mkdir()
    (folder / "logs/broken/config.yaml").write_text("a: [")
    return folder


def listed(place: Path, *words: str) -> tuple[list[str], Said]:
    """The names of the listed runs, as in the CSV file, and what was said."""
    said = in_process.imagelab("runs", *words, folder=place)
    assert said.status == 0, said
    return listed_names(place), said


def listed_names(place: Path) -> list[str]:
    rows = read_rows((place / "logs/runs.csv").read_text().splitlines())
    return [Path(row["run"]).name for row in rows]


def results(place: Path, name: str) -> dict:
    return json.loads((place / "logs" / name / "results.json").read_text())


def test_a_run_is_listed_at_every_moment_of_its_writing(place, tmp_path):
    """Files are replaced whole, but a table of metrics grows: it may end anywhere."""
    run = tmp_path / "logs/now"
    shutil.copytree(place / "logs/good", run)
    (run / "results.json").unlink()
    whole = (run / "metrics.csv").read_bytes()
    for end in [0, 1, *range(7, len(whole), max(1, len(whole) // 12))]:
        (run / "metrics.csv").write_bytes(whole[:end])
        with contextlib.chdir(tmp_path):  # the command without Hydra
            list_runs.start({"where": None, "sort": None, "compare": None, "output": "logs"}, tmp_path)
        assert listed_names(tmp_path) == ["now"]
        (tmp_path / "logs/runs.csv").unlink()
    for name in ("metrics.csv", "console.log"):
        (run / name).unlink()
    shutil.rmtree(run / "checkpoints")
    assert listed(tmp_path)[0] == ["now"]
    (run / "config.yaml").write_text("")  # claimed, and not begun
    assert "there is no run below logs/ yet" in in_process.imagelab("runs", folder=tmp_path).err


def test_every_run_is_listed_with_what_it_changes_and_reached(place):
    names, said = listed(place)
    assert sorted(names) == ["bad", "good", "killed", "other"]
    rows = {Path(row["run"]).name: row for row in read_rows((place / "logs/runs.csv").open())}
    assert float(rows["good"]["val/accuracy"]) == results(place, "good")["val"]["accuracy"]
    assert float(rows["bad"]["test/loss"]) == results(place, "bad")["test"]["loss"]
    assert rows["bad"]["optimizer"] == "momentum"
    assert (rows["good"]["optimizer"], rows["good"]["optimizer.lr"]) == ("", "0.02")
    assert (rows["other"]["augment"], rows["other"]["seed"]) == ("[flip]", "1")
    assert (rows["killed"]["status"], rows["killed"]["val/accuracy"]) == ("running or killed", "")
    assert "logs/broken is left out" in said.err
    assert "    data.limit=300 optimizer=momentum optimizer.lr=1e-06 trainer=cpu" in said.out


def test_they_are_sorted_the_best_first_and_filtered(place):
    finished = "where=status=finished"
    by_accuracy = [name for name, _ in listed_by_accuracy(place)]
    assert listed(place, finished, "sort=val/accuracy")[0] == by_accuracy
    assert listed(place, finished, "sort=-val/accuracy")[0] == by_accuracy[::-1]
    losses = {name: results(place, name)["val"]["loss"] for name in by_accuracy}
    assert listed(place, finished, "sort=val/loss")[0] == sorted(losses, key=losses.__getitem__)
    assert listed(place, "sort=seed", finished)[0][-1] == "other"
    assert listed(place, "sort=val/loss")[0][-1] == "killed"
    worst = results(place, by_accuracy[-1])["val"]["accuracy"]
    assert set(listed(place, f"where=val/accuracy>{worst + 1e-6}")[0]) == set(by_accuracy[:-1])
    assert listed(place, "where=optimizer.lr<0.0005 and optimizer=momentum")[0] == ["bad"]


def listed_by_accuracy(place: Path) -> list[tuple[str, float]]:
    found = {name: results(place, name)["val"]["accuracy"] for name in ("good", "bad", "other")}
    return sorted(found.items(), key=lambda item: -item[1])


def test_a_comparison_shows_differing_keys_results_and_curves(place):
    said = in_process.imagelab("runs", "compare=[good,logs/other]", folder=place)
    assert said.status == 0, said
    lines = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()[1:]}
    assert lines["optimizer.lr"] == ["0.02", "0.001"]
    assert lines["seed"] == ["0", "1"]
    assert "data.limit" not in lines
    assert lines["val/accuracy"] == [f"{results(place, n)['val']['accuracy']:.4f}" for n in ("good", "other")]
    page = (place / "logs/comparison.html").read_text()
    assert page.count("<polyline") >= 4  # two runs, training loss and metrics
    assert page.count("<title>good: 4, ") == page.count("<title>other: 2, ") >= 2


def test_both_pages_open_without_errors(place):
    listed(place)
    assert in_process.imagelab("runs", "compare=[good,bad,other]", folder=place).status == 0
    pages = {name: browser.load(place / f"logs/{name}.html") for name in ("runs", "comparison")}
    assert [page.errors for page in pages.values()] == [[], []]
    assert pages["runs"].dom.count("<tr>") == 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["where=val/acuracy>0.9"], "where: no run has 'val/acuracy'; did you mean 'val/accuracy'?"),
        (["where=seed"], "where: wants COLUMN>VALUE (or >=, <, <=, =, !=), got 'seed'"),
        (["sort=val/acuracy"], "sort: no run has 'val/acuracy'; did you mean 'val/accuracy'?"),
        (["compare=[good]"], "compare: wants two runs or more and no other key, got ['good']"),
        (["compare=[good,god]"], "compare: god is not a run below logs/"),
        (["output=logs/good/config.yaml"], "output: logs/good/config.yaml/runs.csv cannot be written"),
    ],
)
def test_mistakes_are_one_sentence(place, words, told):
    said = in_process.imagelab("runs", *words, folder=place)
    assert said.status == 2
    assert told in said.err


def test_without_runs_it_says_how_to_make_one(tmp_path):
    said = in_process.imagelab("runs", folder=tmp_path)
    assert (said.status, said.err) == (2, "there is no run below logs/ yet; `imagelab train` makes one.\n")
    assert list(tmp_path.iterdir()) == []
