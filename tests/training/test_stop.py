"""Ctrl-C and SIGTERM stop a run within seconds, with a checkpoint and the command to resume."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.runs_of_the_command import assert_same, finish, outcome, start

WORDS = [
    "data=digits",
    "augment=[flip]",
    "trainer=cpu",
    "trainer.max_epochs=12",
    "trainer.log_every_n_steps=3",
    "data.batch_size=30",
]


def wait_for_epochs(process, run: Path, epochs: int) -> None:
    metrics = run / "metrics.csv"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if (
            metrics.exists()
            and len({line.split(",")[0] for line in metrics.read_text().splitlines()[1:]}) >= epochs
        ):
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate()[0])


def wait_for_validation(process, run: Path) -> None:
    """Wait until an epoch has its last step, and no validation loss yet."""
    wait_for_epochs(process, run, 2)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
        steps = next(int(row["step"]) for row in rows if row["val/loss"])  # of an epoch
        if int(rows[-1]["step"] or 0) % steps == 0 and not rows[-1]["val/loss"]:
            return
        time.sleep(0.001)
    raise AssertionError(process.communicate()[0])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict:
    """What a run that nobody disturbs leaves behind."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish([*WORDS, f"hydra.run.dir={folder / 'whole'}"], folder)
    return outcome(folder / "whole")


@pytest.mark.parametrize(("signum", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_stops_the_run_with_a_checkpoint_and_it_resumes_exactly(tmp_path, whole, signum, group):
    run = tmp_path / "stopped"
    process = start([*WORDS, f"hydra.run.dir={run}"], tmp_path)
    wait_for_epochs(process, run, 3)
    os.killpg(process.pid, signum) if group else os.kill(process.pid, signum)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signum, output
    assert f"imagelab train resume={run}" in output
    assert "Traceback" not in output
    assert json.loads((run / "results.json").read_text())["status"] == "stopped"
    finish([f"resume={run}"], tmp_path)
    assert_same(whole, outcome(run))


def test_a_second_signal_ends_the_run_immediately(tmp_path):
    run = tmp_path / "stopped"
    process = start([*WORDS, f"hydra.run.dir={run}"], tmp_path)
    wait_for_epochs(process, run, 1)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


def test_sigterm_to_the_whole_group_with_workers_stops_in_validation_too(tmp_path, photos):
    run = tmp_path / "stopped"
    words = [
        "data=folder",
        f"data.root={photos}",
        "data.storage=files",
        "data.size=24",
        "data.batch_size=4",
        "data.workers=2",
        "augment=[flip]",
        "trainer=cpu",
        "trainer.max_epochs=200",
        "data.val_fraction=0.5",
        "save_every=0.1",
        "trainer.log_every_n_steps=1",
    ]
    process = start([*words, f"hydra.run.dir={run}"], tmp_path)
    wait_for_validation(process, run)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM, output
    assert (run / "checkpoints" / "last.ckpt").exists()
    assert f"imagelab train resume={run}" in output
