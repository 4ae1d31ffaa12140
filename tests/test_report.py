"""Every run gets a report; a later one says the same; a failed one never fails the run."""

import csv
import json
import shutil
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from imagelab import finding, report
from imagelab.problem import Problem
from imagelab.reports import of_run
from imagelab.runs import files, find
from tests import in_process
from tests.browser import Loaded, load

OURS = ("report.html", "report.json", "val_predictions.csv")


@pytest.fixture
def copy(digits, tmp_path) -> Path:
    return Path(shutil.copytree(digits, tmp_path / "run"))


def value_of(run: Path, name: str):
    return next(one for one in finding.read(run / "report.json") if one.name == name)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "val_predictions.csv").open() as file:
        return list(csv.DictReader(file))


def output_of(run: Path, *words: str) -> str:
    found = in_process.imagelab("report", f"run={run}", *words, folder=run.parent)
    assert found.status == 0, found
    return found.out


def test_every_run_writes_a_report_and_names_it(digits):
    assert all((digits / name).is_file() for name in OURS)
    text = (digits / "console.log").read_text()
    assert "report.html" in text
    assert f"verdict     {value_of(digits, 'verdict').value}" in text
    results = json.loads((digits / "results.json").read_text())
    assert value_of(digits, "accuracy on val").value == pytest.approx(results["val"]["accuracy"], abs=1e-4)
    assert value_of(digits, "calibration error").value == pytest.approx(results["val"]["ece"], abs=1e-4)
    assert sum(results["time"].values()) == pytest.approx(results["train_seconds"], abs=0.01)


def test_a_later_report_that_runs_the_weights_again_says_the_same(copy):
    before, table = finding.read(copy / "report.json"), rows(copy)
    for name in OURS:
        (copy / name).unlink()
    out = output_of(copy)
    assert [(one.name, one.value) for one in finding.read(copy / "report.json")] == [
        (one.name, one.value) for one in before
    ]
    for old, new in zip(table, rows(copy), strict=True):
        assert old["predicted"] == new["predicted"]
        assert float(old["loss"]) == pytest.approx(float(new["loss"]), abs=1e-4)
    assert value_of(copy, "verdict").value in out
    assert "imagelab train" in out.splitlines()[-1]


def test_the_table_names_every_image_once_with_its_own_label(digits):
    from imagelab.build import build_data

    named = build_data(files.read_config(digits)).named["val"]
    labels = dict(zip(named.names, named.labels.tolist(), strict=True))
    table = rows(digits)
    assert {row["file"]: int(row["given"]) for row in table} == labels
    losses = [float(row["loss"]) for row in table]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(-np.log(float(table[0]["probability_of_given"])), rel=1e-3)


def test_the_page_has_every_part_and_no_reference_to_elsewhere(digits):
    page = (digits / "report.html").read_text()
    for part in ("Curves", "Steps", "Time", "Confusion", "Classes", "Top losses", "Calibration"):
        assert f">{part}</h2>" in page
    assert "Gradient norm" in page
    assert page.count("<figure>") >= 24
    assert len(page) < 1_000_000
    assert "http://" not in page.replace("http://www.w3.org", "")


LOOK = """
const frames = [...document.querySelectorAll("iframe")];
await Promise.all(frames.map(frame => new Promise(done => frame.addEventListener("load", done))));
return frames.map(({contentDocument: page}) => ({
  heading: page.querySelector("h1").textContent,
  rows: page.querySelectorAll("tbody tr").length,
  plots: [...page.querySelectorAll("svg")].filter(one => one.getBoundingClientRect().height > 100).length,
  paths: page.querySelectorAll("svg path, svg polyline, svg rect, svg circle").length,
  sorted: (() => {
    const button = page.querySelector("thead button");
    button.click();
    return page.querySelector("th[aria-sort]") !== null;
  })(),
  pictures: page.querySelectorAll("img").length,
  broken: [...page.querySelectorAll("img")].filter(one => one.complete && !one.naturalWidth).length,
  wide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
}))
"""


def test_a_browser_shows_the_pages_of_report_and_check_without_an_error(digits, tmp_path):  # room: checks
    words = ["fast=true", "trainer=cpu", "data.limit=300", "hydra.run.dir=out"]
    assert in_process.imagelab("check", *words, folder=tmp_path).status == 0
    pages = [digits / "report.html", tmp_path / "out" / "check.html"]
    frames = "".join(f'<iframe width="1200" height="900" src="{page.as_uri()}"></iframe>' for page in pages)
    both = tmp_path / "both.html"
    both.write_text(f"<body>{frames}</body>")
    seen = load(both, LOOK, "--allow-file-access-from-files")
    assert seen.errors == []
    one, other = seen.returned
    assert (one["heading"], other["heading"]) == ("Report on run", "Check before training")
    assert (one["plots"], other["plots"]) == (10, 1)
    assert (one["pictures"] >= 24, other["pictures"] >= 64) == (True, True)
    for page in seen.returned:
        assert (page["sorted"], page["broken"], page["wide"]) == (True, 0, 0)
        assert page["rows"] > 20
        assert page["paths"] > 5


READ = """
const page = document, text = one => one.textContent;
const charts = [...page.querySelectorAll("#curves-0 svg, #steps-1 svg")];
const chart = name => charts.find(one => text(one.querySelector("title")) === name);
const places = charts.map(one => one.getBoundingClientRect());
const fold = page.querySelector("section:last-of-type > details");
const folded = !fold.open;
page.querySelector("nav li:last-child a").click();
await new Promise(done => setTimeout(done, 200));
return {
  parts: [...page.querySelectorAll("h2")].map(text),
  verdict: text(page.querySelector(".verdict .badge")),
  next: text(page.querySelector("header code")),
  figures: Object.fromEntries([...page.querySelectorAll(".figures > div")].map(
    one => [text(one.querySelector("dt")), text(one.querySelector("dd"))])),
  lines: [...chart("Accuracy").querySelectorAll("polyline title")].map(text),
  right: [...chart("Accuracy").querySelectorAll("circle title")].map(text),
  epochs: [...chart("Loss").querySelectorAll("path[d$=v5] + text")].map(text),
  rows: new Set(places.map(one => Math.round(one.top))).size,
  letters: Math.min(...charts.map(one => one.getBoundingClientRect().width / one.getAttribute("width"))),
  folded, opened: fold.open,
  numbers: [...fold.querySelector("tbody").rows].map(one => text(one.cells[0])),
  first: [...page.querySelectorAll("main svg, main table")].slice(0, 2).map(one => one.tagName),
  wide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
}
"""


@cache
def shown(page: Path, width: int) -> Loaded:
    """What a browser shows of a report, which no test changes, in a window of that width."""
    return load(page, READ, f"--window-size={width},1000")


def test_verdict_figures_and_curves_come_first_and_the_numbers_of_the_rules_last(digits):
    seen = shown(digits / "report.html", 1600)
    assert seen.errors == []
    page, results = seen.returned, json.loads((digits / "results.json").read_text())
    assert page["verdict"] == value_of(digits, "verdict").value
    assert page["next"] in value_of(digits, "verdict").fix
    history = list(csv.DictReader((digits / "metrics.csv").open()))
    train = [float(row["train/accuracy"]) for row in history if row["train/accuracy"]]
    assert page["figures"]["accuracy on train"] == f"{train[-1]:.1%}"
    assert page["figures"]["accuracy on val"] == f"{results['val']['accuracy']:.1%}"
    assert page["figures"]["accuracy on test"] == f"{results['test']['accuracy']:.1%}"
    assert page["parts"][:4] == ["Curves", "Steps", "Confusion", "Classes"]
    assert page["parts"][4:6] == ["Curves by class", "Top losses"]
    assert page["parts"][-3:] == ["Calibration", "Time", "Numbers behind the verdict"]
    assert page["first"] == ["svg", "svg"]
    assert (page["folded"], page["opened"]) == (True, True)  # by the link of the page's list
    assert page["numbers"] == list(value_of(digits, "numbers of the verdict").value)


def test_training_accuracy_is_shown_beside_that_of_val_over_whole_epochs(digits):
    page = load(digits / "report.html", READ).returned
    history = list(csv.DictReader((digits / "metrics.csv").open()))
    train = [float(row["train/accuracy"]) for row in history if row["train/accuracy"]]
    assert page["lines"] == ["train", "val"]
    assert page["right"][:3] == [f"train: {epoch}, {share:.3g}" for epoch, share in enumerate(train, 1)]
    assert page["epochs"] == ["1", "2", "3"]


@pytest.mark.parametrize(("width", "rows"), [(1600, 2), (700, 5)])
def test_charts_are_side_by_side_in_a_wide_window_and_stacked_in_a_narrow_one(digits, width, rows):
    page = shown(digits / "report.html", width).returned
    assert (page["rows"], page["wide"]) == (rows, 0)
    assert page["letters"] > 0.9  # of their size: they can be read


def test_the_split_and_the_weights_can_be_chosen(copy):
    output_of(copy, "split=test", "checkpoint=last")
    assert (copy / "test_predictions.csv").is_file()
    assert value_of(copy, "accuracy on test").value > 0.1
    output_of(copy, "split=null")
    assert not any("accuracy on" in one.name for one in finding.read(copy / "report.json"))
    assert "The report covers only the curves. " in output_of(copy, "weights=ema")


def test_a_killed_run_is_judged_by_its_curves_with_the_advice_to_resume(copy):
    (copy / "results.json").unlink()
    out = output_of(copy)
    assert f"imagelab train resume={copy.name}" in out
    assert value_of(copy, "time").value["forward"] > 0  # from the checkpoint
    shutil.rmtree(copy / "checkpoints")
    output_of(copy)
    assert "no best" in value_of(copy, "predictions").why or "checkpoint" in value_of(copy, "predictions").why


def test_without_metrics_csv_the_curves_come_from_the_checkpoint(copy):
    verdict = value_of(copy, "verdict").value
    (copy / "metrics.csv").unlink()
    output_of(copy, "split=null")
    assert value_of(copy, "verdict").value == verdict


def test_a_failed_report_is_one_sentence_and_the_run_still_finishes(tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr(of_run, "write", broken)
    run = in_process.trained("debug=quick", folder=tmp_path)
    assert find.status(run) == "finished"
    assert "The report failed: ValueError: no ink" in (run / "console.log").read_text()


def test_a_run_that_diverged_gets_its_report_too(tmp_path):
    words = [
        "optimizer=sgd",
        "optimizer.lr=1e30",
        "schedule=constant",
        "trainer.max_epochs=2",
        "data.limit=200",
    ]
    run = tmp_path / "run"
    found = in_process.imagelab("train", "trainer=cpu", f"hydra.run.dir={run}", *words, folder=tmp_path)
    assert found.status == 1
    verdict = value_of(run, "verdict")
    assert (verdict.value, verdict.status) == ("diverged", "FAIL")
    top = (run / "report.html").read_text().partition("<main>")[0]
    assert "Run: failed. " in top
    assert "Diverged: The training loss became NaN or infinite at step 1" in top
    assert "optimizer.lr=1e+29 trainer.gradient_clip_val=1" in verdict.fix


def test_averages_are_drawn_too_and_learning_without_labels_has_curves_only(tmp_path):
    for name in ("ema", "auto"):
        (tmp_path / name).mkdir()
    run = in_process.trained("debug=quick", "trick=[ema]", "trainer.max_epochs=2", folder=tmp_path / "ema")
    assert "val_ema" in (run / "report.html").read_text()
    run = in_process.trained("debug=quick", "task=autoencoder", "model=resnet9", folder=tmp_path / "auto")
    assert not (run / "val_predictions.csv").exists()
    assert value_of(run, "verdict").value == "too early to say"


def test_the_report_of_the_default_run_takes_at_most_three_seconds(digits):
    found = of_run.predictions(digits, split="val", checkpoint="best", weights=None, root=None)
    before = time.process_time()
    of_run.write(digits, of_run.results_of(digits), found, quiet=True)
    assert time.process_time() - before < 3


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(Problem, match="is not the folder of a run"):
        report.start({"run": str(tmp_path), "sweep": None, "split": None}, tmp_path)
