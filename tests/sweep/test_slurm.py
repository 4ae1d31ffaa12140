"""Trials as jobs: submitit runs them, here as processes; an interrupted one resumes in the next job."""

import os
import signal
import time
from pathlib import Path

import pytest

from imagelab.sweep.slurm import Job, Slurm
from imagelab.sweep.trial import Trial
from tests.runs_of_the_command import assert_same, finish, outcome
from tests.sweep.made import sweep
from tests.sweep.test_joblib import made_processes

__all__ = ["made_processes"]
LOCAL = ["launcher=slurm", "launcher.cluster=local", "launcher.gpus=0"]
OPTIONS = {
    "partition": None, "minutes": 5, "gpus": 0, "cpus": 1, "memory": 2, "cluster": "local", "more": {},
}  # fmt: skip


def test_trials_run_as_jobs_and_one_that_fails_is_recorded(made_processes, monkeypatch, tmp_path):
    def submit(executor, job):  # the job itself in this process: submitit's own starts take seconds each
        return Done(job())

    monkeypatch.setattr("submitit.AutoExecutor.submit", submit)
    words = ["-m", "seed=0,2", *LOCAL, "hydra.sweep.dir=here"]
    said = sweep(None, *words, folder=tmp_path)
    status = [line.split(",")[1] for line in (tmp_path / "here/sweep.csv").read_text().splitlines()[1:]]
    assert (status, said.err.splitlines()[1:]) == (
        ["finished", "failed"],
        ["  seed=2: data.root: /nowhere does not exist"],
    )


class Done:
    """A job at its end."""

    def __init__(self, code):
        self.code = code

    def done(self):
        return True

    def result(self):
        return self.code


def test_without_a_cluster_a_sentence_says_how_to_test_it_locally(tmp_path):
    said = sweep(lambda _: pytest.fail("it ran"), "-m", "seed=0,1", "launcher=slurm", folder=tmp_path)
    assert said.status == 2
    assert "set launcher.cluster=local" in said.err


SHORT = [
    "trainer=cpu",
    "trainer.max_epochs=30",
    "data.limit=400",
    "data.batch_size=32",
    "save_every=0",
    "logger=[csv]",
]


@pytest.mark.slow
def test_an_interrupted_job_resumes_in_the_next_one_bit_identically(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish([*SHORT, "hydra.run.dir=whole"], tmp_path)
    trial = Trial(
        number=0,
        words=SHORT,
        folder=tmp_path / "sweep/0",
        log=tmp_path / "sweep/0.log",
        environment={},
    )
    trial.log.parent.mkdir()
    launcher = Slurm(jobs=1, **OPTIONS)
    queued = launcher.start(trial, lambda _: 0)
    end = time.time() + 200
    while not (trial.folder / "checkpoints/last.ckpt").exists() and time.time() < end:
        time.sleep(0.05)
    controller = queued.job._process.pid
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)  # what Slurm sends
    while queued.poll() is None and time.time() < end:
        time.sleep(0.2)
    assert queued.poll() == 0, trial.log.read_text() + str(queued.job.stderr())
    assert "Stopping at the next step" in trial.log.read_text()
    assert_same(outcome(trial.folder), outcome(tmp_path / "whole"))


def test_a_job_can_be_sent_to_another_machine():
    import cloudpickle

    trial = Trial(number=3, words=["seed=1"], folder=None, log=None, environment={"A": "b"})  # pyright: ignore[reportArgumentType]
    assert cloudpickle.loads(cloudpickle.dumps(Job(trial))).trial == trial
