import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from imagelab.data.cache import cache_folder, content_key, whole_file
from imagelab.problem import Problem


def test_the_environment_says_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("IMAGELAB_CACHE", str(tmp_path))
    assert cache_folder("scan") == tmp_path / "scan"
    monkeypatch.setenv("IMAGELAB_CACHE", "~/there")
    assert cache_folder("scan") == Path.home() / "there" / "scan"
    monkeypatch.delenv("IMAGELAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder("scan") == Path("/xdg/imagelab/scan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("scan") == Path.home() / ".cache" / "imagelab" / "scan"


def test_the_key_changes_with_every_file_their_order_and_the_facts(tmp_path):
    paths = [str(tmp_path / name) for name in "ab"]
    for path in paths:
        Path(path).write_text("1")
        os.utime(path, ns=(1, 1))
    keys = [
        content_key(paths, 32),
        content_key(paths, 64),
        content_key(paths[::-1], 32),
        content_key(paths[:1], 32),
    ]
    assert content_key(paths, 32) == keys[0]
    os.utime(paths[1], ns=(2, 2))
    keys.append(content_key(paths, 32))
    Path(paths[1]).write_text("22")
    os.utime(paths[1], ns=(2, 2))
    keys.append(content_key(paths, 32))
    assert len(set(keys)) == 6


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    target = tmp_path / "new" / "file"
    with whole_file(target, 3) as file:
        file.write(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    with pytest.raises(ZeroDivisionError), whole_file(target, 3) as file:
        file.write(bytes([1, 1 // 0]))
    assert target.read_bytes() == b"abc"
    assert list(target.parent.iterdir()) == [target]


def test_a_disk_with_too_little_space_is_refused_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5_000_000))
    refusal = pytest.raises(
        Problem, match=r"7\.0 MB \(not enough space left on the disk\): free some space, or name"
    )
    with refusal, whole_file(tmp_path / "file", 7_000_000):
        pytest.fail("began to work")
    assert list(tmp_path.iterdir()) == []
