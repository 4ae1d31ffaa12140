"""Checkpoints: whole or not at all, checked before use."""

import contextlib
import itertools
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from imagelab.checkpoints.durable import (
    copy_durably,
    damage_of,
    keep_previous,
    last_good,
    read,
    remove_leftovers,
    write_durably,
)
from imagelab.problem import Problem
from tests.runs_of_the_command import SERVER


def save(path, value):
    write_durably(path, lambda file: torch.save({"weights": torch.full((1000,), float(value))}, file))


def test_what_was_written_is_read_back_as_plain_data(tmp_path):
    save(tmp_path / "last.ckpt", 3)
    assert torch.equal(read(tmp_path / "last.ckpt")["weights"], torch.full((1000,), 3.0))
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def written_to(folder, size):
    """Whether the file that is being written has reached this size."""
    with contextlib.suppress(FileNotFoundError):  # it has its final name by now
        return any(path.stat().st_size >= size for path in folder.glob(".last.ckpt.*.tmp"))
    return False


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_cut_off_file_is_named_and_the_one_before_it_is_used(tmp_path, share):
    save(tmp_path / "last.ckpt", 1)
    keep_previous(tmp_path)
    save(tmp_path / "last.ckpt", 2)
    whole = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(whole[: int(len(whole) * share)])
    found, passed = last_good(tmp_path)
    assert found == tmp_path / "previous.ckpt"
    assert len(passed) == 1
    assert "last.ckpt is damaged" in passed[0]
    assert read(found)["weights"][0] == 1


def test_every_flipped_bit_in_the_weights_is_found(tmp_path):
    path = tmp_path / "last.ckpt"
    save(path, 1)
    whole = path.read_bytes()
    start = whole.index(torch.full((1000,), 1.0).numpy().tobytes())
    for place in range(start, start + 4000, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert "is damaged" in str(damage_of(path))
    with pytest.raises(Problem, match="damaged"):
        read(path)


def test_each_of_600_flips_in_the_directory_is_noticed_or_changes_nothing(tmp_path):
    path, rng = tmp_path / "last.ckpt", np.random.default_rng(0)
    save(path, 1)
    whole = path.read_bytes()
    start = whole.index(b"PK\1\2")  # where the archive lists its files
    noticed = 0
    for _ in range(600):
        place, bit = int(rng.integers(start, len(whole))), 1 << int(rng.integers(8))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        if damage_of(path) is None:
            assert torch.equal(read(path)["weights"], torch.full((1000,), 1.0))
        else:
            noticed += 1
    assert noticed > 200


def test_an_archive_that_says_it_is_encrypted_is_damaged_and_the_one_before_it_is_used(tmp_path):
    save(tmp_path / "last.ckpt", 1)
    keep_previous(tmp_path)
    save(tmp_path / "last.ckpt", 2)
    content = bytearray((tmp_path / "last.ckpt").read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag of the first file
    (tmp_path / "last.ckpt").write_bytes(content)
    found, passed = last_good(tmp_path)
    assert found == tmp_path / "previous.ckpt"
    assert "last.ckpt is damaged" in passed[0]


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    save(tmp_path / "last.ckpt", 1)
    (tmp_path / ".last.ckpt.123.tmp").write_bytes(b"half")
    (tmp_path / ".previous.ckpt.tmp").write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_last_checkpoint_never_lacks_its_name_while_it_gets_a_second_one(tmp_path):
    save(tmp_path / "last.ckpt", 1)
    keep_previous(tmp_path)
    assert damage_of(tmp_path / "last.ckpt") is None
    assert damage_of(tmp_path / "previous.ckpt") is None


def test_a_full_disk_is_reported_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "last.ckpt"
    save(path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(Problem, match=r"last\.ckpt cannot be written: the disk is full"):
            save(path, 2)
        with pytest.raises(Problem, match="disk is full"):
            copy_durably(path, tmp_path / "best.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(path)["weights"][0] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def write_on(folder, written):
    """One checkpoint after another, without an end."""
    for value in itertools.count(1):
        keep_previous(folder)
        weights = torch.full((300_000,), float(value))
        write_durably(
            folder / "last.ckpt", lambda file, weights=weights: torch.save({"weights": weights}, file)
        )
        written.send(value)


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 1])
def test_a_kill_at_any_moment_of_writing_leaves_a_whole_checkpoint(tmp_path, share):
    for _ in range(2):  # the second writer finds what the first left
        ours, theirs = SERVER.Pipe(duplex=False)
        writer = SERVER.Process(target=write_on, args=(tmp_path, theirs))
        writer.start()
        for _ in range(3):
            ours.recv()
        whole = (tmp_path / "last.ckpt").stat().st_size
        while not written_to(tmp_path, share * whole):
            pass
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        found, passed = last_good(tmp_path)
        assert found == tmp_path / "last.ckpt"
        assert passed == []
        weights = read(found)["weights"]
        assert (weights == weights[0]).all()


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: done.append("sync") or sync(number))
    monkeypatch.setattr(Path, "replace", lambda one, other: done.append("replace") or replace(one, other))
    save(tmp_path / "last.ckpt", 1)
    assert done == ["sync", "replace", "sync"]  # the second one of the folder
