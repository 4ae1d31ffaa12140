import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from imagelab.data import index
from imagelab.data.cache import cache_folder, intact, read_record, write_atomically, write_record
from imagelab.data.files import Files
from imagelab.data.folder import Folder
from imagelab.data.memory import decode_once
from imagelab.data.preprocess import Preprocess
from imagelab.data.shrunk import shrink_once
from imagelab.data.statistics import photo_statistics
from imagelab.problem import Problem
from tests.fitting import FOLDER


def test_an_environment_variable_sets_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("IMAGELAB_CACHE", str(tmp_path))
    assert cache_folder("scan") == tmp_path / "scan"
    monkeypatch.setenv("IMAGELAB_CACHE", "~/there")
    assert cache_folder("scan") == Path.home() / "there" / "scan"
    monkeypatch.delenv("IMAGELAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder("scan") == Path("/xdg/imagelab/scan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("scan") == Path.home() / ".cache" / "imagelab" / "scan"


def test_a_file_gets_its_name_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file"
    with write_atomically(target, 3) as file:
        file.write(b"abc")
        assert not target.exists()
    assert target.read_bytes()[:3] == b"abc"
    assert intact(target)
    with pytest.raises(ZeroDivisionError), write_atomically(target, 3) as file:
        file.write(bytes([1, 1 // 0]))
    assert target.read_bytes()[:3] == b"abc"
    assert intact(target)
    assert list(target.parent.iterdir()) == [target]


def test_a_disk_with_too_little_space_is_refused_before_work_begins(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5_000_000))
    refusal = pytest.raises(
        Problem,
        match=r"7\.0 MB \(not enough space left on the disk\): free some space.*IMAGELAB_CACHE",
    )
    with refusal, write_atomically(tmp_path / "file", 7_000_000):
        pytest.fail("began to work")
    assert list(tmp_path.iterdir()) == []


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Content with a byte changed, cut off, or grown, at random."""
    place = int(rng.integers(len(content)))
    kind = rng.integers(3)
    if kind == 0:
        return content[:place] + bytes([content[place] ^ int(rng.integers(1, 256))]) + content[place + 1 :]
    return content[:place] if kind == 1 else content + b"\0" * int(rng.integers(1, 9))


def test_each_of_200_damages_is_noticed_without_false_alarms(tmp_path, caplog):
    file, rng = tmp_path / "store", np.random.default_rng(0)
    for _ in range(200):
        with write_atomically(file, 5000) as out:
            out.write(rng.bytes(1000))
            out.write(rng.bytes(4000))
        assert intact(file)
        assert not caplog.records
        file.write_bytes(damaged(file.read_bytes(), rng))
        assert not intact(file)
        assert [record.getMessage() for record in caplog.records] == [
            f"{file} is damaged and will be rebuilt"
        ]
        caplog.clear()


def test_each_of_200_damages_of_a_record_is_noticed_or_changes_no_fact(tmp_path):
    file, rng = tmp_path / "record", np.random.default_rng(0)
    facts = {"mean": [0.25, 0.5], "std": [0.125, 0.1], "why": "é"}
    noticed = 0
    for _ in range(200):
        write_record(file, facts)
        assert read_record(file) == facts
        file.write_bytes(damaged(file.read_bytes(), rng))
        found = read_record(file)
        assert found in (None, facts)  # a space in place of another is no damage
        noticed += found is None
    assert noticed >= 190


def test_a_store_of_an_older_version_counts_as_damaged_and_one_that_is_missing_is_silent(tmp_path, caplog):
    file = tmp_path / "store"
    assert not intact(file)
    assert not caplog.records
    file.write_bytes(b"no checksum at its end")
    assert not intact(file)
    assert read_record(file) is None
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("kind", ["memory", "shrunk", "statistics", "scan", "index"])
def test_a_damaged_store_gives_the_same_pixels_as_before_it_was_damaged(
    kind, tmp_path, write_classes, monkeypatch
):
    monkeypatch.setattr(index, "SETTLED", -10)  # the folder was made just now
    root = write_classes(tmp_path / "pictures", 4, "cat", "dog")

    def look():
        source = Folder(root=str(root), **FOLDER)
        files = source.splits["train"]
        assert isinstance(files, Files)
        photos = shrink_once(files, short=8)
        geometry = Preprocess(
            size=8, channels=3, mean=[0.0] * 3, std=[1.0] * 3, resize=8, interpolation="bilinear"
        )
        return [
            decode_once(files, size=None).images.numpy().copy(),
            np.stack([photos.photo(place, None) for place in range(len(photos))]),
            np.array(photo_statistics(photos, files, geometry)),
        ]

    before = look()
    rng = np.random.default_rng(1)
    stores = list(cache_folder(kind).iterdir())
    assert stores
    for _ in range(10):
        for store in stores:
            store.write_bytes(damaged(store.read_bytes(), rng))
        for now, then in zip(look(), before, strict=True):
            assert np.array_equal(now, then)
