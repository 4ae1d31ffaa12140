"""Ctrl-C and SIGTERM stop a run within seconds, with a checkpoint and the command to resume."""

import json
import os
import signal
import time

import pytest

from imagelab.training.stop import NOTICE
from tests.held import Held
from tests.runs_of_the_command import assert_same, finish, outcome, start

WORDS = [
    "data=digits",
    "augment=[flip]",
    "trainer=cpu",
    "trainer.max_epochs=12",
    "trainer.log_every_n_steps=3",
    "data.batch_size=30",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict:
    """What a run that nobody disturbs leaves behind."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish([*WORDS, f"hydra.run.dir={folder / 'whole'}"], folder)
    return outcome(folder / "whole")


@pytest.mark.parametrize(("signum", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_stops_the_run_with_a_checkpoint_and_it_resumes_exactly(tmp_path, whole, signum, group):
    run = tmp_path / "stopped"
    held = Held("row", rows=10)  # in the midst of an epoch
    process = start([*WORDS, f"hydra.run.dir={run}"], tmp_path, held=held)
    held.wait()
    os.killpg(process.pid, signum) if group else os.kill(process.pid, signum)
    held.free()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signum, output
    assert f"imagelab train resume={run}" in output
    assert "Traceback" not in output
    assert json.loads((run / "results.json").read_text())["status"] == "stopped"
    finish([f"resume={run}"], tmp_path)
    assert_same(whole, outcome(run))


def test_a_second_signal_ends_the_run_immediately(tmp_path):
    run = tmp_path / "stopped"
    held = Held("row")
    process = start([*WORDS, f"hydra.run.dir={run}"], tmp_path, held=held)
    held.wait()  # it does not go on: only the second signal ends it
    os.kill(process.pid, signal.SIGTERM)
    while NOTICE not in process.said.read_text() and process.poll() is None:
        time.sleep(0.01)
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
    held = Held("validation", rows=3)
    process = start([*words, f"hydra.run.dir={run}"], tmp_path, held=held)
    held.wait()
    os.killpg(process.pid, signal.SIGTERM)
    held.free()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM, output
    assert (run / "checkpoints" / "last.ckpt").exists()
    assert f"imagelab train resume={run}" in output
