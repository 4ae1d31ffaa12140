"""Trials as jobs: submitit runs them, here as processes; an interrupted one resumes in the next job."""

import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagelab.problem import Problem
from imagelab.sweep.slurm import Job, Slurm
from imagelab.sweep.trial import Trial
from tests.in_process import imagelab
from tests.runs_of_the_command import assert_same, finish, outcome
from tests.sweep.made import sweep

LOCAL = ["launcher=slurm", "launcher.cluster=local", "launcher.gpus=0"]
OPTIONS = {
    "partition": None, "minutes": 5, "nodes": 1, "processes": 1, "gpus": 0, "cpus": 1, "memory": 2,
    "cluster": "local", "more": {},
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


@pytest.mark.parametrize(
    "change", [{"partition": "a\ntouch b"}, {"more": {"a\nb": 1}}, {"more": {"a": "\n"}}]
)
def test_an_option_with_a_line_break_would_be_a_command_of_the_job(change):
    with pytest.raises(Problem, match=r"launcher: .*line break"):
        Slurm(jobs=1, **OPTIONS | change)


class Done:
    """A job at its end."""

    def __init__(self, code):
        self.code = code

    def task(self, _):
        return self

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
    assert cloudpickle.loads(cloudpickle.dumps(Job(trial, alone=True))).trial == trial


def test_a_job_is_queued_again_however_often_its_time_is_over(tmp_path, monkeypatch):
    from submitit.core.job_environment import SignalHandler
    from submitit.core.utils import DelayedSubmission, JobPaths

    for name in ("sbatch", "srun"):  # a cluster that takes every job and runs none
        (tmp_path / name).write_text("#!/bin/sh\necho Submitted batch job 7\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    trial = Trial(number=0, words=[], folder=tmp_path / "0", log=tmp_path / "0.log", environment={})
    Slurm(jobs=1, **OPTIONS | {"cluster": "slurm"}).start(trial, lambda _: 0)
    paths, queued = JobPaths(tmp_path / "slurm", job_id="7"), []
    monkeypatch.setattr(SignalHandler, "has_timed_out", lambda _: True)
    monkeypatch.setattr(SignalHandler, "_exit", lambda _: None)
    place = SimpleNamespace(global_rank=0, _requeue=queued.append)
    for _ in range(20):
        job = DelayedSubmission.load(paths.submitted_pickle)
        SignalHandler(place, paths, job).checkpoint_and_try_requeue(signal.SIGUSR2)  # pyright: ignore[reportArgumentType]
    assert len(queued) == 20


OVER_NODES = [
    "trainer=slurm",
    "launcher=slurm",
    "launcher.nodes=2",
    "launcher.processes=4",
    "launcher.gpus=4",
]


def test_the_job_of_one_run_is_shown_and_nothing_is_left(tmp_path):
    said = imagelab("train", *OVER_NODES, "hydra.run.dir=night", "seed=3", "--dry-run", folder=tmp_path)
    assert said.status == 0, said
    asked = ("nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "time=240", "signal=USR2@90")
    assert all(f"#SBATCH --{option}\n" in said.out for option in asked), said.out
    assert f"{tmp_path}/night/slurm" in said.out
    assert f"imagelab.train trainer=slurm seed=3 hydra.run.dir={tmp_path}/night\n" in said.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["launcher=joblib"], "launcher: runs the trials of a sweep and needs -m"),
        (["--dry-run"], "--dry-run shows the job of launcher=slurm"),
        (["-m", "seed=0,1", "--dry-run"], "--dry-run shows the job of one run; leave out -m"),
        (["launcher=slurm", "trainer=slurm"], "trainer.devices: slurm stands for processes that srun starts"),
        (
            ["launcher=slurm", "launcher.processes=2"],
            "trainer.devices: 1 for 1 process on each machine, but srun started 2",
        ),
        ([*OVER_NODES, "launcher.cluster=local"], "launcher.nodes: 2 machines, but launcher.cluster=local"),
    ],
)
def test_what_is_no_job_is_refused(tmp_path, words, sentence):
    said = imagelab("train", "trainer=cpu", *words, folder=tmp_path)
    assert said.status == 2
    assert sentence in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_preempted_job_of_two_processes_goes_on_in_its_folder_bit_identically(tmp_path):
    from tests.test_torchrun import TWO, finish_ranks, srun_environment

    words = [word.replace("torchrun", "slurm") for word in TWO]
    words[words.index("trainer.max_epochs=2")] = "trainer.max_epochs=12"
    finish_ranks([*words, "hydra.run.dir=whole"], [tmp_path / "a", tmp_path / "b"], srun_environment)
    two = [*LOCAL, "launcher.processes=2", "launcher.minutes=5"]
    said = finish([*words, *two, "hydra.run.dir=night"], tmp_path)
    run, job = tmp_path / "night", int(re.findall(r"Job (\d+) is running", said)[0])
    wait_for(lambda: (run / "metrics.csv").exists(), run)
    tasks = Path(f"/proc/{job}/task/{job}/children").read_text().split()
    assert len(tasks) == 2
    for task in tasks:
        os.kill(int(task), signal.SIGUSR2)  # what Slurm sends to every task
    wait_for(lambda: not Path(f"/proc/{job}/cmdline").exists() or not _line(job), run)
    log = (run / "job.log").read_text()
    assert log.count("Stopping at the next step") == 1, log
    assert_same(outcome(tmp_path / "a" / "whole"), outcome(run))


def wait_for(condition, run: Path) -> None:
    end = time.time() + 200
    while not condition():
        assert time.time() < end, (run / "job.log").read_text()
        time.sleep(0.05)


def _line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for what has ended and nobody waits for
