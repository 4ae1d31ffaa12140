"""A sweep survives failing trials, resumes where it stopped, and keeps a table of outcomes."""

import csv
import re

import pytest
import yaml

from imagelab.problem import Problem
from imagelab.sweep import started, table
from imagelab.terminal import screen
from tests import in_process
from tests.sweep.made import diverged, finished, sweep

DIR = "hydra.sweep.dir=here"


def rows(folder):
    return list(csv.DictReader((folder / "here/sweep.csv").read_text().splitlines()))


def test_failed_and_diverged_trials_are_recorded_and_the_sweep_continues(tmp_path):
    made = {
        0: finished(0.5),
        1: diverged(None),
        2: {"status": "failed", "error": "OSError: disk"},
        3: finished(0.9),
    }
    said = sweep(lambda cfg: made[cfg["seed"]], "-m", "seed=0,1,2,3", "data.limit=9", DIR, folder=tmp_path)
    assert [row["status"] for row in rows(tmp_path)] == ["finished", "diverged", "failed", "finished"]
    assert [row["val/accuracy"] for row in rows(tmp_path)] == ["0.5", "", "", "0.9"]
    assert rows(tmp_path)[3] == {
        "number": "3", "status": "finished", "seed": "3", "val/accuracy": "0.9", "test/accuracy": "0.45",
        "epochs": "2", "seconds": "1.5", "folder": "3", "error": "",
    }  # fmt: skip
    assert said.status == 2
    assert said.err == "These trials failed:\n  seed=2 data.limit=9: OSError: disk\n"
    best = said.out[said.out.index("\ntrial ") :].splitlines()
    assert [line.split() for line in best[1:4]] == [
        ["trial", "val/accuracy", "test/accuracy", "seed", "status"],
        ["3", "0.9000", "0.4500", "3", "finished"],
        ["0", "0.5000", "0.2500", "0", "finished"],
    ]
    assert "trials  2 finished, 1 diverged, 1 failed\ntable   here/sweep.csv\n" in said.out
    assert "report  imagelab report sweep=here\n" in said.out  # room: reports


def test_a_trial_is_one_line_on_the_screen_whatever_its_run_says(tmp_path):
    def objective(cfg):
        screen.say("data", "epoch 1", "closing table")
        return diverged(cfg) if cfg["seed"] else 0.5

    said = sweep(objective, "-m", "seed=0,1", "data.limit=9", DIR, folder=tmp_path)
    lines = said.out.splitlines()
    assert lines[: lines.index("")] == [
        "sweep   here",
        "  seed  choice(0,1)",
        "Trial 0: seed=0: finished, val/accuracy 0.5000 in 1.5 s",
        "Trial 1: seed=1: diverged: Diverged: the loss is nan",
    ]
    assert said.err == ""


def test_a_resumed_sweep_skips_finished_trials(tmp_path):
    seen = []

    def objective(cfg):
        seen.append(cfg["seed"])
        if len(seen) == 2:
            raise SystemExit(130)
        return diverged(cfg) if cfg["seed"] == 0 else 0.5

    said = sweep(objective, "-m", "seed=0,1,2", DIR, folder=tmp_path)
    assert (said.status, seen) == (130, [0, 1])
    assert [row["status"] for row in rows(tmp_path)] == ["diverged", "stopped"]
    assert "Resume with: imagelab train resume=here" in said.out
    said = sweep(objective, "resume=here", folder=tmp_path)
    assert (said.status, seen) == (0, [0, 1, 1, 2])
    assert [row["status"] for row in rows(tmp_path)] == ["diverged", "finished", "finished"]


def test_a_sweep_in_a_folder_with_any_name_is_resumed_and_reported(tmp_path):
    seen, name = [], "a (1), b"

    def objective(cfg):
        seen.append(cfg["seed"])
        if len(seen) == 2:
            raise SystemExit(130)
        return 0.5

    assert sweep(objective, "-m", "seed=0,1", f'hydra.sweep.dir="{name}"', folder=tmp_path).status == 130
    said = sweep(objective, f'resume="{name}"', folder=tmp_path)
    assert (said.status, seen) == (0, [0, 1, 1]), said
    # room: reports
    said = in_process.imagelab("report", f'sweep="{name}"', folder=tmp_path)
    assert said.status == 0, said
    assert (tmp_path / name / "report.html").is_file()
    # end


def test_a_sweep_resumes_with_another_launcher_without_the_keys_of_the_former(tmp_path):
    def objective(_cfg):
        raise SystemExit(130)

    sweep(objective, "-m", "seed=0,1", DIR, folder=tmp_path)
    file = tmp_path / "here" / "sweep.yaml"
    content = yaml.safe_load(file.read_text())
    content["typed"] += ["launcher=joblib", "launcher.jobs=3"]
    file.write_text(yaml.safe_dump(content))
    said = sweep(lambda _: 0.5, "resume=here", "launcher=local", folder=tmp_path)
    assert said.status == 0, said
    assert [row["status"] for row in rows(tmp_path)] == ["finished", "finished"]


@pytest.mark.slow
def test_adding_trials_draws_the_same_ones_as_starting_with_more(tmp_path):
    words = ["-m", "sweep=random", "sweep.space=null", "model.dropout=interval(0,0.5)"]
    seen = []

    def objective(cfg):
        seen.append(cfg["model"]["dropout"])
        return 0.5

    for more in (["sweep.trials=1", DIR], ["sweep.trials=2", DIR], ["sweep.trials=2"]):
        assert sweep(objective, *words, *more, folder=tmp_path).status == 0
    few, all_at_once = seen[:2], seen[2:]
    assert few == all_at_once
    assert len(set(few)) == 2


def test_the_folder_of_another_sweep_is_refused(tmp_path):
    sweep(lambda _: 0.5, "-m", "seed=0", DIR, folder=tmp_path)
    before = (tmp_path / "here/sweep.csv").read_text()
    said = sweep(lambda _: pytest.fail("it ran"), "-m", "seed=1", DIR, folder=tmp_path)
    assert said.status == 2
    assert said.err.startswith(
        "here is the folder of another sweep (seed=0 hydra.sweep.dir=here); resume that one with"
    )
    assert (tmp_path / "here/sweep.csv").read_text() == before


MISTAKES = {
    "optimizer.lr=interval(0.1,1)": "optimizer.lr: a grid needs a list of values, got a range;",
    "sweep=random optimizer.lr=interval(2,1)": "optimizer.lr: the start of a range must be below its end,",
    "sweep=random sweep.space=null": "sweep.space: there is nothing to search; give a key a range:",
    "sweep=random sweep.space.optimizer.lrr=interval(1,2)": "optimizer.lrr: AdamW has no such argument;",
    "sweep=random optimizer.lr=interval(-1,1)": "optimizer.lr: wants a number above 0, got -1.0",
    "launcher=joblib launcher.jobs=0": "launcher.jobs: wants 1 or more, got 0",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_refused_in_a_sentence_before_anything_starts(words, tmp_path):
    said = sweep(lambda _: pytest.fail("it ran"), "-m", *words.split(), folder=tmp_path)
    assert said.status == 2
    lines = said.err.removeprefix("This run cannot start:\n").splitlines()
    assert len(lines) == 1
    assert lines[0].strip().startswith(MISTAKES[words])
    assert list(tmp_path.iterdir()) == []


def test_a_range_without_m_explains_how_to_search(tmp_path):
    said = sweep(lambda _: pytest.fail("it ran"), "sweep=random", folder=tmp_path)
    assert re.match(r" *sweep: .* -m: imagelab train -m sweep=", said.err.splitlines()[1])


def test_a_written_table_reads_back_unchanged(tmp_path):
    sweep(lambda cfg: cfg["seed"] / 10, "-m", "seed=1,2", "optimizer=sgd,adam", DIR, folder=tmp_path)
    found, monitor = table.read(tmp_path / "here")
    assert monitor == "val/accuracy"
    best = [(row.number, row.value, row.overrides["optimizer"]) for row in table.ranked(found, lower=False)]
    assert best == [(2, 0.2, "sgd"), (3, 0.2, "adam"), (0, 0.1, "sgd"), (1, 0.1, "adam")]
    assert [row.value for row in table.ranked(found, lower=True)] == [0.1, 0.1, 0.2, 0.2]
    assert started.read(tmp_path / "here")["space"] == {
        "seed": "choice(1,2)",
        "optimizer": "choice(sgd,adam)",
    }


def test_a_damaged_table_is_a_sentence(tmp_path):
    for text in ("number,status\n0,finished\n", "number\nx\n", "number,status,epochs,val/loss\n1,2\n"):
        (tmp_path / table.FILE).write_text(text)
        with pytest.raises(Problem, match=r"sweep\.csv is damaged .*resume the sweep"):
            table.read(tmp_path)
