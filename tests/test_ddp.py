"""Two gloo processes on CPU against one process with the doubled batch; one folder, one file of metrics."""

import contextlib
import csv
import json
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from imagelab.checkpoints.durable import read
from tests.held import stop_one_process
from tests.runs_of_the_command import assert_same, finish, forked, outcome, start

# Shared batch statistics, since the ranks' own differ by nature; 359 test images do not divide by 2.
WORDS = [
    "augment=[flip,crop,cutout]",
    "trainer.sync_batchnorm=true",
    "trainer.precision=64-true",  # 32 bits round differently in another order, which grows from step to step
    "trainer.max_epochs=4",
    "trainer.accumulate_grad_batches=3",
    "trainer.log_every_n_steps=2",
    "trainer.gradient_clip_val=1",
    "optimizer=nesterov",
    "optimizer.lr=0.02",
    "trick=[ema,l1,snapshots]",
    "schedule=cosine_restarts",
]
TWO = [*WORDS, "trainer=ddp_cpu", "data.batch_size=32"]


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ddp")
    finish([*TWO, f"hydra.run.dir={folder / 'run'}"], folder, real_ranks=True)
    return folder / "run"


def test_two_processes_equal_one_with_twice_the_batch(tmp_path, two):
    finish([*WORDS, "trainer=cpu", "data.batch_size=64", f"hydra.run.dir={tmp_path / 'one'}"], tmp_path)
    one, both = outcome(tmp_path / "one"), outcome(two)
    for name, weights in one["weights"].items():
        torch.testing.assert_close(both["weights"][name], weights, rtol=1e-4, atol=1e-5, msg=name)
    assert one["averages"].keys() == {"ema"}
    for name, weights in one["averages"]["ema"].items():
        torch.testing.assert_close(both["averages"]["ema"][name], weights, rtol=1e-4, atol=1e-5, msg=name)
    for name in ("snapshot_1.ckpt", "snapshot_2.ckpt", "snapshot_3.ckpt"):
        states = [read(run / "checkpoints" / name)["state_dict"] for run in (tmp_path / "one", two)]
        torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-5, msg=name)
    assert both["results"]["steps"] == one["results"]["steps"]
    for split in ("val", "test"):
        assert both["results"][split] == pytest.approx(one["results"][split], abs=1e-4)
    rows = [list(csv.DictReader(text.splitlines())) for text in (one["metrics"], both["metrics"])]
    assert len(rows[0]) == len(rows[1])
    for single, double in zip(*rows, strict=True):
        assert single.keys() == double.keys()
        for name, cell in single.items():
            assert float(double[name] or 0) == pytest.approx(float(cell or 0), abs=2e-4), name


def test_every_test_image_counts_once(two):
    accuracy = outcome(two)["results"]["test"]["accuracy"]
    assert accuracy * 359 == pytest.approx(round(accuracy * 359), abs=1e-4)


def test_the_ranks_share_one_folder(two):
    assert [path.name for path in two.parent.iterdir()] == ["run"]
    assert (two / "console.log").read_text().count("status      finished") == 1
    names = {file.stem for file in (two / "checkpoints").iterdir()}
    assert names == {"best", "last", "previous", *(f"snapshot_{number}" for number in (1, 2, 3))}


def test_sigterm_to_one_process_stops_all_and_the_run_goes_on_exactly(tmp_path, two):
    run = tmp_path / "stopped"
    stop_one_process(TWO, run, tmp_path)
    finish([f"resume={run}"], tmp_path)
    assert_same(outcome(two), outcome(run))


def alive(group: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ends just now
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            found += [int(stat.parent.name)] if int(session) == group and state not in "ZX" else []
    return found


def run_tests(folder: Path, told: Connection) -> None:
    """What a test runner does: start a run of two processes, and wait."""
    told.send(start([*TWO, "trainer.max_epochs=500", f"hydra.run.dir={folder / 'run'}"], folder).pid)
    time.sleep(600)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_killing_the_test_runner_leaves_no_rank_behind(tmp_path):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    runner = forked(run_tests, tmp_path, theirs)
    theirs.close()  # so that a runner that dies ends the wait
    assert ours.poll(60)
    group = ours.recv()
    end = time.monotonic() + 90
    while not (tmp_path / "run" / "metrics.csv").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert len(alive(group)) == 2
    runner.kill()
    runner.join()
    while alive(group) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive(group) == []


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_all_ranks(tmp_path):
    run = tmp_path / "diverged"
    process = start(
        [*TWO, "optimizer.lr=1e30", "trainer.gradient_clip_val=null", f"hydra.run.dir={run}"], tmp_path
    )
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1, output
    assert "The training loss became NaN or infinite at step" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_each_trial_of_a_sweep_starts_its_own_ranks(tmp_path):
    words = [*TWO, "trainer.max_epochs=1", "data.limit=200", "seed=0,1", "hydra.sweep.dir=sweep"]
    finish(["-m", *words], tmp_path, real_ranks=True)
    found = sorted(tmp_path.glob("sweep/*/results.json"))
    assert [json.loads(file.read_text())["seed"] for file in found] == [0, 1]
    assert all(json.loads(file.read_text())["status"] == "finished" for file in found)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["prodigy", "schedule_free"])
def test_an_optimizer_that_adapts_equals_one_process_with_twice_the_batch(optimizer, tmp_path):
    words = [f"optimizer={optimizer}", "augment=[flip]", "data.limit=400", "trainer.max_epochs=3"]
    words += ["trainer.precision=64-true", "trainer.sync_batchnorm=true", "logger=[csv]"]
    two = [*words, "trainer=ddp_cpu", "data.batch_size=32", f"hydra.run.dir={tmp_path / 'two'}"]
    finish(two, tmp_path)
    finish([*words, "trainer=cpu", "data.batch_size=64", f"hydra.run.dir={tmp_path / 'one'}"], tmp_path)
    one, both = outcome(tmp_path / "one"), outcome(tmp_path / "two")
    for name, weights in one["weights"].items():
        torch.testing.assert_close(both["weights"][name], weights, rtol=1e-4, atol=1e-6, msg=name)
    for split in ("val", "test"):
        assert both["results"][split] == pytest.approx(one["results"][split], abs=1e-4)
    rates = [[row["lr/decay"] for row in csv.DictReader(run["metrics"].splitlines())] for run in (one, both)]
    assert [float(rate or 0) for rate in rates[1]] == pytest.approx([float(rate or 0) for rate in rates[0]])
