"""A command starts as a Hydra application in its own folder; a sweep survives a failed trial."""

import sys
from pathlib import Path

import pytest

from imagelab import launch
from imagelab.launch import run_hydra
from imagelab.problem import Problem


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Run a task with these words in an empty folder; the check leaves out what imports Lightning."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch.validate, "thorough_problems", lambda cfg, root: [])

    def start(task, *words):
        monkeypatch.setattr(sys, "argv", ["imagelab", *words])
        run_hydra(task)

    return start


def test_a_task_gets_plain_data_and_a_folder_named_after_the_experiment(started):
    seen = []
    started(lambda cfg, folder: seen.append((cfg, folder)), "seed=7", "trainer.detect_anomaly=true")
    ((cfg, folder),) = seen
    assert (type(cfg), type(cfg["trainer"]), cfg["seed"]) == (dict, dict, 7)
    assert cfg["trainer"]["detect_anomaly"] is True
    assert "hydra" not in cfg
    assert folder.is_dir()
    assert folder.parent == Path("logs/train").resolve()


def test_two_runs_of_the_same_second_get_two_folders(started):
    folders = []
    for _ in range(3):
        started(lambda _, folder: folders.append(folder))
    assert len(set(folders)) == 3


def test_hydra_run_dir_puts_the_folder_elsewhere(started, tmp_path):
    folders = []
    started(lambda _, folder: folders.append(folder), "hydra.run.dir=here")
    assert folders == [tmp_path / "here"]
    assert not (tmp_path / "logs").exists()


def test_a_problem_in_a_task_is_one_sentence_with_exit_status_2(started, capsys):
    def task(cfg, folder):
        raise Problem("data.root: /nowhere does not exist")

    with pytest.raises(SystemExit) as end:
        started(task)
    assert end.value.code == 2
    assert capsys.readouterr().err == "data.root: /nowhere does not exist\n"


def test_a_sweep_survives_a_failed_trial_and_ends_with_exit_status_2(started, capsys):
    seen = []

    def task(cfg, folder):
        seen.append((cfg["seed"], list(cfg["augment"])))
        if cfg["seed"] == 1:
            raise Problem("no luck")

    with pytest.raises(SystemExit) as end:
        started(task, "-m", "seed=1,2", "augment=[none],[flip,crop]")
    assert end.value.code == 2
    assert seen == [(1, []), (1, ["flip", "crop"]), (2, []), (2, ["flip", "crop"])]
    assert capsys.readouterr().err.count("no luck") == 2


def test_ctrl_c_ends_the_whole_sweep(started):
    seen = []

    def task(cfg, folder):
        seen.append(cfg["seed"])
        sys.exit(130)

    with pytest.raises(SystemExit) as end:
        started(task, "-m", "seed=1,2")
    assert (end.value.code, seen) == (130, [1])


def test_the_whole_config_is_shown_without_a_run(started, capsys, tmp_path):
    started(lambda cfg, folder: pytest.fail("it ran"), "optimizer.lr=0.5", "--cfg", "job")
    assert "lr: 0.5" in capsys.readouterr().out
    assert not (tmp_path / "logs").exists()
