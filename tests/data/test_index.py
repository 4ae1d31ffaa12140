import os
import shutil
from pathlib import Path

import pytest

from imagelab.data import index as module
from imagelab.data.cache import cache_folder
from imagelab.data.index import index_folder, index_of
from imagelab.data.listing import list_pictures

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(module, "SETTLED", -10)  # as if the folder had been at rest for long
    root = tmp_path / "photos"
    for name in ("train/dog/deep/er/1.png", "train/dog/2.png", "train/cat/3.png", "val/cat/4.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.fixture
def listed(monkeypatch) -> list[Path]:
    """The folders that were listed."""
    seen, search = [], module.search

    def noted(root, *, labelled):
        seen.append(root)
        return search(root, labelled=labelled)

    monkeypatch.setattr(module, "search", noted)
    return seen


def test_a_folder_at_rest_is_listed_once(root, listed):
    first = index_folder(root, labelled=True)
    again = index_folder(root, labelled=True)
    assert listed == [root]
    assert (again.groups, again.paths.tolist()) == (first.groups, first.paths.tolist())
    assert first.paths.tolist() == index_of(list_pictures(root, labelled=True)).paths.tolist()
    index_folder(root, labelled=False)
    assert len(listed) == 2


def add(root: Path) -> None:
    (root / "train/dog/deep/er/5.png").write_bytes(b"x")


def remove(root: Path) -> None:
    (root / "train/dog/2.png").unlink()


def rename(root: Path) -> None:
    (root / "val/cat/4.png").rename(root / "val/cat/6.png")


def add_class(root: Path) -> None:
    shutil.copytree(root / "train/cat", root / "train/bird")


def rename_class(root: Path) -> None:
    (root / "train/dog").rename(root / "train/wolf")


def exchange(root: Path) -> None:
    (root / "train/dog/2.png").rename(root / "train/dog/deep/2.png")


def set_back(root: Path) -> None:
    folder = root / "train/dog"
    before = folder.stat().st_mtime_ns
    (folder / "7.png").write_bytes(b"x")
    os.utime(folder, ns=(before, before))


@pytest.mark.parametrize("change", [add, remove, rename, add_class, rename_class, exchange, set_back])
def test_it_is_listed_again_when_anything_is_added_removed_or_renamed(root, listed, change):
    index_folder(root, labelled=True)
    change(root)
    found = index_folder(root, labelled=True)
    assert len(listed) == 2
    assert found.paths.tolist() == index_of(list_pictures(root, labelled=True)).paths.tolist()


def test_a_link_that_leads_elsewhere_is_noticed(root, listed, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x" / f"{name}.png").write_bytes(b"x")
    (tmp_path / "where").symlink_to("one")
    (root / "train/dog/link").symlink_to(tmp_path / "where" / "x")
    assert str(index_folder(root, labelled=True).paths.tolist()).count("one.png") == 1
    (tmp_path / "where").unlink()
    (tmp_path / "where").symlink_to("two")
    assert str(index_folder(root, labelled=True).paths.tolist()).count("two.png") == 1


def test_what_changed_just_now_is_not_kept(root, listed, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", 2.0)
    index_folder(root, labelled=True)
    assert not cache_folder("index").exists()
    index_folder(root, labelled=True)
    assert len(listed) == 2


def test_labels_and_places_follow_the_order_of_the_classes(root):
    index = index_folder(root, labelled=True)
    places, labels = index.places("train", ["cat", "dog"])
    assert [index.paths[place].rpartition("/")[2] for place in places.tolist()] == ["3.png", "2.png", "1.png"]
    assert labels.tolist() == [0, 1, 1]
    assert index.places("val", ["cat", "dog"])[1].tolist() == [0]
