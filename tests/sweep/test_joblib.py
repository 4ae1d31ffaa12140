"""Trials in separate processes: a killed one does not affect the others; they share cores and GPUs."""

import os
import sys
from pathlib import Path

import joblib
import pytest

from imagelab.sweep.joblib import Joblib
from tests.sweep.made import sweep


def test_a_killed_trial_does_not_affect_the_others(made_processes, tmp_path):
    words = ["-m", "seed=0,1,2,3,4,5", "launcher=joblib", "launcher.jobs=3", "hydra.sweep.dir=here"]
    said = sweep(None, *words, folder=tmp_path)
    status = [line.split(",")[1] for line in (tmp_path / "here/sweep.csv").read_text().splitlines()[1:]]
    assert status == ["finished", "killed", "failed", "finished", "finished", "finished"]
    assert said.status == 2
    assert said.err.splitlines()[1:] == ["  seed=1", "  seed=2: data.root: /nowhere does not exist"]
    share = max(1, joblib.cpu_count() // 3)
    assert f'"{share}"]' in (tmp_path / "here/0/at.json").read_text()
    assert [path.name for path in sorted((tmp_path / "here").glob("*.log"))] == ["1.log", "2.log"]


def test_gpus_are_taken_in_turns(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launcher = Joblib(jobs=3, devices=[4, 6])
    assert [launcher.environment(place)["CUDA_VISIBLE_DEVICES"] for place in range(3)] == ["4", "6", "4"]
    assert Joblib(jobs=2, devices=None).environment(0)["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_trials_stop_when_the_sweep_is_killed(tmp_path):
    import multiprocessing
    import signal
    import time

    told = tmp_path / "told"
    parent = multiprocessing.get_context("fork").Process(target=_start_one, args=(told,))
    parent.start()
    end = time.time() + 60
    while not told.exists() and time.time() < end:
        time.sleep(0.02)
    os.kill(parent.pid or 0, signal.SIGKILL)
    while told.read_text() != "stopped" and time.time() < end:
        time.sleep(0.02)
    assert told.read_text() == "stopped"


def _start_one(told: Path) -> None:
    from unittest import mock

    from imagelab.sweep.trial import Trial

    code = (
        "import pathlib, signal, sys, time; told = pathlib.Path(sys.argv[1]); "
        "signal.signal(signal.SIGTERM, lambda *_: (told.write_text('stopped'), sys.exit(143))); "
        "told.write_text('runs'); time.sleep(60)"
    )
    trial = Trial(number=0, words=[], folder=told, log=told.with_name("said"), environment={})
    words = [sys.executable, "-S", "-c", code, str(told)]
    with mock.patch("imagelab.sweep.joblib.command", return_value=words):
        process = Joblib(jobs=1, devices=None).start(trial, lambda _: 0)
    process.wait()
