"""No two runs share a folder, whenever and however they start."""

import subprocess
import sys

import pytest

from imagelab.problem import Problem
from imagelab.runs import claim, files

HOLD = """
import sys, time
from pathlib import Path
from imagelab.runs.claim import lock
lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(claim.fcntl is None, reason="no locks on this system")
def test_a_folder_is_held_as_long_as_its_process_lives(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Problem, match="is in use: another process trains in it"):
            claim.lock(tmp_path)
    finally:
        other.kill()
        other.wait()
    claim.lock(tmp_path)


def test_processes_that_start_in_the_same_second_get_a_folder_each(tmp_path):
    code = """
import sys
from imagelab.runs.claim import new_folder
print("ready", flush=True)
sys.stdin.readline()
print(*(new_folder("train") for _ in range(20)))
"""
    command, pipes = [sys.executable, "-c", code], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    several = [subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) for _ in range(3)]
    assert [process.stdout.readline() for process in several] == ["ready\n"] * 3
    for process in several:
        process.stdin.write("\n")
        process.stdin.flush()
    folders = " ".join(process.communicate(timeout=60)[0] for process in several).split()
    assert len(folders) == len(set(folders)) == 60
    assert len(list((tmp_path / "logs/train").iterdir())) == 60


def test_of_two_runs_in_one_named_folder_the_first_owns_it(tmp_path):
    claim.begin({"seed": 1}, tmp_path)
    with pytest.raises(Problem, match="is the folder of another run"):
        claim.begin({"seed": 2}, tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "seed: 1\n"


def test_what_is_not_of_this_process_is_never_removed(tmp_path):
    claim.discard(tmp_path)
    assert tmp_path.is_dir()


def test_a_run_that_never_began_takes_the_folders_made_for_it_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept, gone = claim.new_folder("a"), claim.chosen_folder("b/c/d")
    for folder in (kept, gone):
        claim.begin({"seed": 1}, folder)
    claim.discard(gone)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert files.read_config(kept) == {"seed": 1}


@pytest.mark.parametrize("content", ["notes.txt", "config.yaml", "sub/x"])
def test_a_folder_that_holds_something_is_not_taken(tmp_path, content):
    file = tmp_path / "f" / content
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    for take in (
        lambda: claim.chosen_folder(str(tmp_path / "f")),
        lambda: claim.begin({}, tmp_path / "f"),
    ):
        with pytest.raises(Problem, match=r"hydra\.run\.dir="):
            take()
    assert file.read_text() == "mine"


def test_a_disk_without_room_is_a_sentence_and_leaves_no_folder(tmp_path):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(Problem, match=r"deep/run cannot hold a run \(File too large\)"):
            claim.chosen_folder(str(tmp_path / "deep" / "run"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert list(claim.chosen_folder(str(tmp_path / "deep" / "run")).iterdir()) == []
