import os
from pathlib import Path

from imagelab.data.tree import tree


def names(root: Path, hidden: bool = False) -> list[str]:
    return sorted(path.removeprefix(f"{root}/") for path in tree(str(root), hidden=hidden).files)


def test_everything_below_is_listed_once_and_links_are_followed(tmp_path: Path) -> None:
    inner, away = tmp_path / "here" / "inner", tmp_path / "away"
    inner.mkdir(parents=True)
    away.mkdir()
    for path in (inner / "a.jpg", inner / ".b.jpg", away / "c.txt"):
        path.touch()
    (tmp_path / "here" / "link").symlink_to(away)
    (tmp_path / "here" / "again").symlink_to(inner)
    assert names(tmp_path / "here") == ["inner/a.jpg", "link/c.txt"]
    assert names(tmp_path / "here", hidden=True) == ["inner/.b.jpg", "inner/a.jpg", "link/c.txt"]
    found = sorted(tree(str(tmp_path)).folders)
    assert found == [str(path) for path in (tmp_path, away, inner.parent, inner)]


def test_rings_of_links_end_after_one_round(tmp_path: Path) -> None:
    for name in "abcdefgh":  # each leads to each: 8! ways, and endless ones
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").touch()
    for name in "abcdefgh":
        for other in "abcdefgh":
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
        (tmp_path / name / "up").symlink_to(tmp_path)
    assert names(tmp_path) == [f"{name}/x.jpg" for name in "abcdefgh"]


def test_what_is_no_file_is_listed_as_it_stands(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "nowhere.jpg").symlink_to("gone")
    assert names(tmp_path) == ["nowhere.jpg", "pipe.jpg", "self.jpg"]
