"""A run killed at any moment and resumed equals an uninterrupted one, bit for bit."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.held import Held
from tests.runs_of_the_command import assert_same, finish, outcome, start

# Everything at once that draws or counts: mixing, dropout, augmentation, accumulation with a short last
# window (11 batches, windows of 3), a schedule by the step, a checkpoint after nearly every step.
COMMON = [
    "augment=[flip,crop,cutout,mixup]",
    "augment.flip.p=0.5",
    "model.dropout=0.2",
    "optimizer=adamw",
    "schedule=one_cycle",
    "trick=[ema,l1,dropconnect]",
    "schedule.warmup=0.1",
    "trainer=cpu",
    "trainer.max_epochs=6",
    "trainer.accumulate_grad_batches=3",
    "trainer.log_every_n_steps=2",
    "save_every=0.05",
    "seed=7",
]
MEMORY = [*COMMON, "data=digits", "data.batch_size=110"]


def files(folder: Path, workers: int) -> list[str]:
    return [
        *COMMON,
        "data=folder",
        f"data.root={folder}",
        "data.storage=files",
        "data.size=24",
        "data.batch_size=8",
        f"data.workers={workers}",
        "trainer.max_epochs=4",
    ]


def kill_somewhere(words: list[str], folder: Path, how: str, rng: random.Random) -> None:
    """Start a run and kill it: anywhere, at the end of an epoch, or while it writes a checkpoint."""
    held = Held("row" if how == "anywhere" else how, rows=rng.randint(1, 2))
    process = start(words, folder, held=held)
    held.wait()
    if how == "anywhere":
        held.step()
        time.sleep(rng.random() * 0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def killed_and_resumed(
    words: list[str], tmp_path: Path, hows: list[str], rng: random.Random, changes=list
) -> Path:
    """A run that is killed in these ways, and resumed each time."""
    run = tmp_path / "killed"
    begin = [*words, f"hydra.run.dir={run}"]
    for how in hows:
        kill_somewhere(begin, tmp_path, how, rng)
        assert not (run / "results.json").exists()
        begin = [f"resume={run}", *changes()]
    finish(begin, tmp_path)
    return run


def test_a_run_in_memory_killed_four_times_equals_an_uninterrupted_one(tmp_path):
    whole = tmp_path / "whole"
    finish([*MEMORY, f"hydra.run.dir={whole}"], tmp_path)
    run = killed_and_resumed(
        MEMORY, tmp_path, ["anywhere", "writing", "epoch end", "anywhere"], random.Random(1)
    )
    assert_same(outcome(whole), outcome(run))


def test_a_run_on_files_killed_with_changing_workers_equals_an_uninterrupted_one(tmp_path, photos):
    whole, rng = tmp_path / "whole", random.Random(2)
    finish([*files(photos, 0), f"hydra.run.dir={whole}"], tmp_path)
    changes = lambda: [f"data.workers={rng.choice([0, 1, 2])}"]  # noqa: E731
    run = killed_and_resumed(files(photos, 2), tmp_path, ["epoch end", "writing"], rng, changes)
    assert_same(outcome(whole), outcome(run))


@pytest.mark.slow
def test_a_run_on_packed_images_killed_twice_equals_an_uninterrupted_one(
    tmp_path, photos
):  # room: data/arrow
    finish(["data=folder", f"data.root={photos}", f"output={tmp_path / 'packed'}"], tmp_path, "pack")
    packed = [word for word in files(tmp_path / "packed", 2) if not word.startswith("data.storage")]
    words = ["data=arrow" if word == "data=folder" else word for word in packed]
    finish([*words, "data.workers=0", f"hydra.run.dir={tmp_path / 'whole'}"], tmp_path)
    run = killed_and_resumed(words, tmp_path, ["epoch end", "writing"], random.Random(3))
    assert_same(outcome(tmp_path / "whole"), outcome(run))


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(10))
def test_fifty_kills_do_not_change_a_bit(tmp_path, photos, attempt):
    rng = random.Random(attempt)
    words = [*(MEMORY if attempt % 2 else files(photos, rng.choice([0, 1, 2]))), "trainer.max_epochs=9"]
    whole = tmp_path / "whole"
    finish([*words, f"hydra.run.dir={whole}"], tmp_path)
    hows = [rng.choice(["anywhere", "writing", "epoch end"]) for _ in range(5)]
    run = killed_and_resumed(words, tmp_path, hows, rng)
    assert_same(outcome(whole), outcome(run))
