import os
from pathlib import Path

import numpy as np
import pytest

from imagelab.contracts import Images
from imagelab.data.decode import Unreadable
from imagelab.data.files import Files


@pytest.fixture
def files(tmp_path, write_picture):
    paths = [write_picture(tmp_path / f"{k}.jpg", seed=k, width=80 + 8 * k, height=80) for k in range(3)]
    return Files(paths, np.array([2, 0, 1]), np.array([[80 + 8 * k, 80] for k in range(3)]))


def test_files_are_images_of_the_contract(files):
    assert isinstance(files, Images)
    assert len(files) == 3


def test_selecting_keeps_path_label_and_size_together(files):
    chosen = files.select(np.array([2, 0, 2]))
    assert chosen.labels.tolist() == [1, 2, 1]
    assert chosen.sizes[:, 0].tolist() == [96, 80, 96]
    assert [chosen.photo(k, None).shape[1] for k in range(3)] == [96, 80, 96]
    assert len(Files(files.paths, files.labels).select(np.array([], np.int64))) == 0


def test_relabelling_leaves_the_first_as_it_was(files):
    assert files.relabel(np.array([5, 5, 5])).labels.tolist() == [5, 5, 5]
    assert files.labels.tolist() == [2, 0, 1]


def test_a_photo_comes_no_larger_than_needed(files):
    assert files.photo(0, 20).shape == (20, 20, 3)


def test_a_broken_photo_is_named(files, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"")
    with pytest.raises(Unreadable, match=r"1\.jpg: the file is empty"):
        files.photo(1, None)


def test_each_path_needs_a_label():
    with pytest.raises(ValueError, match="got 1 labels for 2 paths"):
        Files(["a", "b"], np.array([0]))


def test_the_key_changes_with_every_file_their_order_and_the_facts(tmp_path):
    paths = [str(tmp_path / name) for name in "ab"]
    for path in paths:
        Path(path).write_text("1")
        os.utime(path, ns=(1, 1))

    def key(paths, *facts):
        return Files(paths, np.zeros(len(paths), np.int64)).key(*facts)

    keys = [key(paths, 32), key(paths, 64), key(paths[::-1], 32), key(paths[:1], 32)]
    assert key(paths, 32) == keys[0]
    os.utime(paths[1], ns=(2, 2))
    keys.append(key(paths, 32))
    Path(paths[1]).write_text("22")
    os.utime(paths[1], ns=(2, 2))
    keys.append(key(paths, 32))
    assert len(set(keys)) == 6


def test_the_key_of_some_files_does_not_depend_on_the_others(tmp_path, write_picture):
    paths = [write_picture(tmp_path / name) for name in ("a.png", "b.png", "a much longer name.png")]
    every = Files(paths, np.arange(3))
    assert every.select(np.array([0, 1])).key() == Files(paths[:2], np.arange(2)).key()
