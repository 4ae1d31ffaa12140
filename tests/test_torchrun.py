"""Processes that torchrun or srun starts: one run, one folder, the numbers of one process.

The fast tests start the ranks as torchrun does, with its environment; `slow` ones start torchrun itself.
"""

import csv
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from imagelab.checkpoints.durable import load_plain
from imagelab.config.compose import compose
from imagelab.config.launched import launched
from imagelab.config.rules.processes import clashes, started
from imagelab.problem import Problem
from tests.held import Held
from tests.runs_of_the_command import Process, assert_same, finish, outcome, start

WORDS = ["model.norm=group", "optimizer.lr=0.01", "optimizer=nesterov", "augment=[flip]", "data.limit=400"]
WORDS += ["trainer.max_epochs=2", "trainer.log_every_n_steps=1"]
TWO = [*WORDS, "trainer=torchrun", "data.batch_size=16", "trainer.accelerator=cpu"]
ONE = [*WORDS, "trainer=cpu", "data.batch_size=32"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def torchrun_environment(rank: int, ranks: int, port: int, nodes: int = 1) -> dict[str, str]:
    local = ranks // nodes
    numbers = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank % local, "LOCAL_WORLD_SIZE": local}
    numbers |= {"GROUP_RANK": rank // local, "GROUP_WORLD_SIZE": nodes, "MASTER_PORT": port}
    found = {name: str(number) for name, number in numbers.items()}
    return found | {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "night"}


def srun_environment(rank: int, ranks: int, port: int) -> dict[str, str]:
    numbers = {"NTASKS": ranks, "NTASKS_PER_NODE": ranks, "PROCID": rank, "LOCALID": rank, "NODEID": 0}
    found = {f"SLURM_{name}": str(number) for name, number in numbers.items()}
    return found | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "SLURM_JOB_ID": "7"}


def start_ranks(
    words: list[str], folders: list[Path], environment=torchrun_environment, held: Held | None = None
) -> list[Process]:
    """Two ranks of one group, each in a folder of its own; the first may be held."""
    port = free_port()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return [
        start(
            words,
            folder,
            environment=environment(rank, len(folders), port),
            real_ranks=True,
            held=None if rank else held,
        )
        for rank, folder in enumerate(folders)
    ]


def ended(processes: list[Process], timeout: float = 100) -> list[tuple[int | None, str]]:
    """Exit status and output of each."""
    said = [process.communicate(timeout=timeout)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def finish_ranks(words: list[str], folders: list[Path], environment=torchrun_environment) -> str:
    found = ended(start_ranks(words, folders, environment))
    assert [status for status, _ in found] == [0] * len(folders), found
    return found[0][1]


def kill_after_rows(words: list[str], folders: list[Path], rows: int) -> None:
    """Start ranks, and kill the first one once it has written this many rows of metrics."""
    held = Held("row", rows)
    processes = start_ranks(words, folders, held=held)
    held.wait()
    os.kill(processes[0].pid, signal.SIGKILL)
    assert ended(processes)[0][0] == -signal.SIGKILL


def assert_equal_numbers(one: Path, two: Path, within: float = 1e-6) -> None:
    """Two runs have the same records and metrics."""
    rows = [list(csv.DictReader((run / "metrics.csv").open())) for run in (one, two)]
    assert len(rows[0]) == len(rows[1])
    for first, second in zip(*rows, strict=True):
        assert first.keys() == second.keys()
        for name, cell in first.items():
            assert float(second[name] or 0) == pytest.approx(float(cell or 0), abs=within), name
    results = [json.loads((run / "results.json").read_text()) for run in (one, two)]
    assert results[0]["steps"] == results[1]["steps"]
    for split in ("val", "test"):
        assert results[1][split] == pytest.approx(results[0][split], abs=within)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """A run of two ranks in two folders."""
    base = tmp_path_factory.mktemp("two")
    words = [*TWO, "hydra.run.dir=run", "resume=auto"]
    said = finish_ranks(words, [base / "a", base / "b"])
    assert "steps of 32 images on 2 x cpu" in said
    return base


def test_two_ranks_in_two_folders_are_one_run_with_the_numbers_of_one_process(tmp_path, two):
    finish([*ONE, "hydra.run.dir=run"], tmp_path)
    assert_equal_numbers(tmp_path / "run", two / "a" / "run")
    assert list((two / "b").iterdir()) == []
    assert [path.name for path in (two / "a").iterdir()] == ["run"]
    tested = json.loads((two / "a" / "run" / "results.json").read_text())["test"]["accuracy"] * 359
    assert tested == pytest.approx(round(tested), abs=1e-4)


def test_srun_starts_the_same_run(tmp_path, two):
    words = [word.replace("torchrun", "slurm") for word in TWO]
    finish_ranks([*words, "hydra.run.dir=run"], [tmp_path / "a", tmp_path / "b"], srun_environment)
    assert_same(outcome(two / "a" / "run"), outcome(tmp_path / "a" / "run"))
    assert list((tmp_path / "b").iterdir()) == []


def test_the_same_command_goes_on_with_a_killed_run_and_leaves_a_finished_one(tmp_path, two):
    folders, words = [tmp_path / "a", tmp_path / "b"], [*TWO, "hydra.run.dir=run", "resume=auto"]
    held = Held("row")
    processes = start_ranks([*words, "save_every=0.1"], folders, held=held)
    held.wait()
    os.kill(processes[1].pid, signal.SIGKILL)
    held.free()
    (status, said), _ = ended(processes)
    assert status == 1, said
    assert "Another process of this run has ended" in said
    assert "Traceback" not in said
    assert f"Resume with: imagelab train resume={folders[0] / 'run'}" in said
    finish_ranks([*words, "save_every=0.1"], folders)
    assert_same(outcome(two / "a" / "run"), outcome(folders[0] / "run"))
    assert "has finished; there is nothing to resume" in finish_ranks([*words, "save_every=0.1"], folders)


def test_what_one_rank_cannot_do_the_first_one_says(tmp_path, photos):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pictures").symlink_to(photos)
    words = [*TWO, "data=folder", "data.root=pictures", "data.size=16", "data.limit=null"]
    (first, said), (second, silent) = ended(start_ranks(words, [tmp_path / "a", tmp_path / "b"]))
    assert (first, second) == (2, 2), said + silent
    assert f"Process 1 on {socket.gethostname()}: data.root" in said.replace("\n", " ")
    assert silent == ""
    assert not list(tmp_path.glob("*/logs/**/config.yaml"))


def test_a_refused_command_ends_all_ranks(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    (first, said), (second, silent) = ended(start_ranks([*TWO, "trainer.devices=3"], folders))
    assert (first, second) == (2, 2)
    assert "trainer.devices: 3" in said
    assert "torchrun started 2" in said
    assert silent == ""


def test_a_command_that_is_one_process_is_refused_under_torchrun(tmp_path):
    port = free_port()
    ranks = [
        start(["run=last"], tmp_path, "evaluate", environment=torchrun_environment(rank, 2, port))
        for rank in (0, 1)
    ]
    (first, said), (second, silent) = ended(ranks)
    assert (first, second, silent) == (2, 2, "")
    assert "torchrun started 2 processes, but evaluate is a single one" in said


@pytest.mark.parametrize("launcher", ["joblib", "slurm"])
def test_a_launcher_is_refused_under_torchrun(launcher):  # room: sweep
    cfg = compose("train", [f"launcher={launcher}", "trainer=torchrun"]).cfg
    (found,) = started(cfg, launched(torchrun_environment(0, 2, 1)))
    assert "torchrun has started 2" in found
    assert (
        list(started(compose("train", ["trainer=torchrun"]).cfg, launched(torchrun_environment(0, 2, 1))))
        == []
    )


def test_each_trial_of_a_sweep_takes_all_ranks(tmp_path):  # room: sweep
    words = [
        *TWO,
        "trainer.max_epochs=1",
        "seed=0,1",
        "data.limit=100",
        "hydra.sweep.dir=sweep",
        "resume=auto",
    ]
    finish_ranks(["-m", *words], [tmp_path / "a", tmp_path / "b"])
    results = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("a/sweep/*/results.json"))]
    assert [(one["seed"], one["status"]) for one in results] == [(0, "finished"), (1, "finished")]
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("trainer", "sentence"),
    [
        ({"devices": "torchrun"}, None),
        ({"devices": "auto"}, None),
        ({"devices": 2}, None),
        ({"devices": [0, 2], "num_nodes": 2}, None),
        ({"devices": 1}, "trainer.devices: 1 for 1 process on each machine, but torchrun started 2"),
        ({"devices": "slurm"}, "trainer.devices: slurm wants srun, but torchrun started"),
        ({"devices": -1, "num_nodes": 3}, "trainer.num_nodes: 3, but torchrun started processes on 2"),
    ],
)
def test_devices_that_are_not_those_that_were_started_are_refused(trainer, sentence):
    mine = launched(torchrun_environment(1, 4, 1, nodes=2))
    found = list(clashes(trainer, mine))
    assert [one.startswith(sentence or "") for one in found] == [True] * (sentence is not None), found


def test_what_torchrun_has_to_start_cannot_start_alone():
    assert "torchrun --standalone" in next(clashes({"devices": "torchrun"}, launched({})))
    assert "trainer.num_nodes: 2 machines" in next(clashes({"devices": 1, "num_nodes": 2}, None))


def test_srun_has_to_say_how_many_tasks_a_machine_has():
    with pytest.raises(Problem, match=r"--ntasks=4 .* --ntasks-per-node"):
        launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"})
    assert launched({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) is None
    assert launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash"}) is None


def test_a_run_goes_on_with_another_number_of_processes_and_keeps_its_recipe(tmp_path, two):
    folders, words = [tmp_path / "a", tmp_path / "b"], [*TWO, "hydra.run.dir=run"]
    alone, run = [folders[0]], folders[0] / "run"
    words[words.index("data.batch_size=16")] = "data.batch_size=32"
    for places, first in ((alone, words), (folders, [f"resume={run}"])):
        kill_after_rows([*first, "save_every=0"] if first is words else first, places, 3)
    said = finish_ranks([f"resume={run}"], alone)
    assert "Processes: 2 before, 1 now, so data.batch_size is 32 instead of 16" in said
    assert_equal_numbers(two / "a" / "run", run)


def test_memory_that_runs_out_on_one_of_two_processes_changes_no_number(tmp_path, two):
    tight = ["+trick.tight={_target_: tests.one_rank_short_of_memory.Tight, room: 5}", "trainer.on_oom=halve"]
    folders = [tmp_path / "a", tmp_path / "b"]
    finish_ranks([*TWO, *tight, "hydra.run.dir=run"], folders, at_root)
    assert_equal_numbers(two / "a" / "run", folders[0] / "run", within=1e-5)


def at_root(rank: int, ranks: int, port: int) -> dict[str, str]:
    """The environment of torchrun, in which the tests' own modules can be imported."""
    return torchrun_environment(rank, ranks, port) | {"PYTHONPATH": str(Path(__file__).parents[1])}


SHARDED = "trainer.strategy.sharded=true"


@pytest.mark.slow
def test_weights_divided_among_two_processes_go_on_in_one(tmp_path):
    folders, run = [tmp_path / "a", tmp_path / "b"], tmp_path / "killed"
    more = ["trainer.gradient_clip_val=1", "save_every=0", "seed=1"]
    words = [*(word.replace("trainer=torchrun", "trainer=fsdp") for word in TWO), *more, SHARDED]
    finish([*ONE, *more, "hydra.run.dir=one"], tmp_path)
    kill_after_rows([*words, f"hydra.run.dir={run}"], folders, 3)
    said = finish_ranks([f"resume={run}"], folders[:1])
    assert "Processes: 2 before, 1 now" in said
    assert_equal_numbers(tmp_path / "one", run, within=1e-4)


def test_divided_weights_train_like_whole_ones_and_go_on_after_a_kill(tmp_path):
    folders, run = [tmp_path / "a", tmp_path / "b"], tmp_path / "killed"
    words = [word.replace("trainer=torchrun", "trainer=fsdp") for word in TWO]
    words += ["trainer.gradient_clip_val=1", "save_every=0", "seed=1"]
    finish([*ONE, "trainer.gradient_clip_val=1", "seed=1", "hydra.run.dir=one"], tmp_path)
    finish_ranks([*words, f"hydra.run.dir={tmp_path / 'whole'}"], folders)
    assert_equal_numbers(tmp_path / "one", tmp_path / "whole", within=1e-4)
    kill_after_rows([*words, SHARDED, f"hydra.run.dir={run}"], folders, 3)
    parts = sorted(run.glob("checkpoints/shards/*/*.safetensors"))
    assert len(parts) >= 2, "each process writes a file of its own"
    damaged = load_plain(run / "checkpoints/last.ckpt")["shards"]["folder"]
    for part in (run / "checkpoints/shards" / damaged).iterdir():
        part.write_bytes(part.read_bytes()[:-1] + b"?")
    said = finish_ranks([f"resume={run}"], folders)
    assert f"damaged (checksum of {run}/checkpoints/shards/{damaged}" in said.replace("\n", "")
    assert_same_but_for_parts(tmp_path / "whole", run)


def assert_same_but_for_parts(whole: Path, sharded: Path) -> None:
    """Two runs have the same best weights, metrics and results, and last.ckpt of one of them is in parts."""
    assert "state_dict" in load_plain(whole / "checkpoints/last.ckpt")
    assert load_plain(sharded / "checkpoints/last.ckpt")["shards"]["files"]
    for name in ("best.ckpt",):
        states = [load_plain(run / "checkpoints" / name)["state_dict"] for run in (whole, sharded)]
        assert_same(*states)
    assert (whole / "metrics.csv").read_text() == (sharded / "metrics.csv").read_text()
    results = [json.loads((run / "results.json").read_text()) for run in (whole, sharded)]
    for key in ("status", "steps", "best", "val", "test"):
        assert results[0][key] == results[1][key]
