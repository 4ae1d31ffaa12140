import json
import logging
import os
from pathlib import Path

import pytest

from imagelab.data import scan as module
from imagelab.data.array_record import read_arrays
from imagelab.data.decode import MOST_PIXELS, Unreadable
from imagelab.data.folder import Folder
from imagelab.data.scan import refuse_or_skip, scan
from imagelab.problem import Problem
from tests.fitting import FOLDER

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def looked(monkeypatch):
    """The files that were decoded, in order."""
    seen = []
    verify = module.verify

    def noted(path, most):
        seen.append(Path(path).name)
        return verify(path, most)

    monkeypatch.setattr(module, "verify", noted)
    return seen


@pytest.fixture
def pictures(write_picture):
    """Writes pictures that grow wider."""

    def write(folder, count):
        return [str(write_picture(folder / f"{k:02}.png", seed=k, width=10 + k)) for k in range(count)]

    return write


def test_sizes_and_faults_are_found(tmp_path, pictures):
    paths = pictures(tmp_path, 3)
    (tmp_path / "01.png").write_bytes(b"")
    found = scan(paths, str(tmp_path), MOST_PIXELS)
    assert found.sizes.tolist() == [[10, 10], [0, 0], [12, 10]]
    assert found.faults == {paths[1]: "the file is empty"}


def test_the_second_scan_checks_only_new_and_changed_files(tmp_path, pictures, write_picture, looked):
    paths = pictures(tmp_path, 4)
    first = scan(paths, str(tmp_path), MOST_PIXELS)
    assert sorted(looked) == [f"0{k}.png" for k in range(4)]
    looked.clear()
    assert scan(paths, str(tmp_path), MOST_PIXELS).sizes.tolist() == first.sizes.tolist()
    assert looked == []
    write_picture(tmp_path / "03.png", width=30)
    os.utime(tmp_path / "01.png", ns=(1, 1))
    second = scan([*paths, str(write_picture(tmp_path / "04.png"))], str(tmp_path), MOST_PIXELS)
    assert sorted(looked) == ["01.png", "03.png", "04.png"]
    assert second.sizes.tolist() == [[10, 10], [11, 10], [12, 10], [30, 10], [12, 10]]


def test_unreadable_files_are_checked_each_time(tmp_path, pictures, looked, monkeypatch):
    paths = pictures(tmp_path, 3)
    healthy = module.verify
    monkeypatch.setattr(module, "verify", refuse)  # as if the rights to read were missing
    assert len(scan(paths, str(tmp_path), MOST_PIXELS).faults) == 3
    monkeypatch.setattr(module, "verify", healthy)
    again = scan(paths, str(tmp_path), MOST_PIXELS)
    assert again.faults == {}
    assert json.loads(again.record.read_text())["unreadable"] == {}


def refuse(path, most):
    raise Unreadable(f"{path}: Permission denied")


def test_files_that_are_gone_are_forgotten(tmp_path, pictures):
    paths = pictures(tmp_path, 3)
    scan(paths, str(tmp_path), MOST_PIXELS)
    found = scan(paths[:1], str(tmp_path), MOST_PIXELS)
    assert len(found.sizes) == 1
    kept = read_arrays(found.record.with_suffix(".arrays"))
    assert kept is not None
    assert kept[1]["table"].tolist() == [b"00.png"]


def test_all_faults_are_in_the_record_and_twenty_in_the_message(tmp_path, pictures):
    paths = pictures(tmp_path, 30)
    for path in paths[5:]:
        Path(path).write_bytes(b"")
    found = scan(paths, str(tmp_path), MOST_PIXELS)
    with pytest.raises(Problem, match="25 of 30 pictures") as problem:
        refuse_or_skip(found, len(paths), "error")
    assert str(problem.value).count("the file is empty") == 20
    assert "and 5 more" in str(problem.value)
    assert str(found.record) in str(problem.value)
    assert list(json.loads(found.record.read_text())["unreadable"]) == paths[5:]


def test_a_damaged_record_is_replaced(tmp_path, pictures, looked):
    paths = pictures(tmp_path, 2)
    store = scan(paths, str(tmp_path), MOST_PIXELS).record.with_suffix(".arrays")
    content = store.read_bytes()
    for damage in (b"", b"{", content[:-1], content[:-40] + b"x" + content[-39:]):
        store.write_bytes(damage)
        looked.clear()
        assert scan(paths, str(tmp_path), MOST_PIXELS).sizes.tolist() == [[10, 10], [11, 10]]
        assert len(looked) == 2
        assert store.read_bytes() == content


def test_files_in_another_order_and_below_another_folder_are_known_again(tmp_path, pictures, looked):
    paths = pictures(tmp_path / "inner", 4)
    scan(paths, str(tmp_path), MOST_PIXELS)
    looked.clear()
    more = [*pictures(tmp_path, 2), *paths[::-1]]  # now tmp_path is the common folder
    found = scan(more, str(tmp_path), MOST_PIXELS)
    assert found.sizes[:, 0].tolist() == [10, 11, 13, 12, 11, 10]
    assert sorted(looked) == ["00.png", "01.png"]
    looked.clear()
    assert scan(paths, str(tmp_path), MOST_PIXELS).sizes[:, 0].tolist() == [10, 11, 12, 13]
    assert looked == []


def test_a_cache_that_cannot_be_written_is_a_warning_only(tmp_path, pictures, monkeypatch, caplog):
    paths = pictures(tmp_path, 2)
    monkeypatch.setenv("IMAGELAB_CACHE", paths[0])  # a file: no folder can be made below it
    with caplog.at_level(logging.WARNING):
        assert scan(paths, str(tmp_path), MOST_PIXELS).sizes.tolist() == [[10, 10], [11, 10]]
    assert "checked again next time" in caplog.text
    assert "IMAGELAB_CACHE" in caplog.text


def test_nothing_is_written_into_the_data_folder(tmp_path, pictures):
    paths = pictures(tmp_path, 2)
    scan(paths, str(tmp_path), MOST_PIXELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00.png", "01.png"]


def test_ten_thousand_real_pictures_are_checked_once(cifar10, looked):
    def read():
        source = Folder(root=str(cifar10 / "test"), **FOLDER)
        return source.splits["train"]

    assert read().sizes.tolist() == [[32, 32]] * 10_000
    assert len(looked) == 10_000
    assert len(read()) == 10_000
    assert len(looked) == 10_000
