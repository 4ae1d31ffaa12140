import os
from pathlib import Path

import numpy as np

from imagelab.data.paths import joined_paths, paths_of

ODD = ["/a/b/x.png", "/a/b/größe 1.png", "/a/b/no\udcfftext.png", "/a/bc.png", "/a/b//y.png"]


def test_paths_come_back_as_they_were() -> None:
    for names in (ODD, ODD[:1], ["x", "./x", "../y"], ["/x", "y"], [], ["a/b/c", "a/b"]):
        assert paths_of(names).tolist() == names
        assert [paths_of(names)[place] for place in range(len(names))] == names
    assert paths_of([Path("/a/b"), Path("/a/c")]).tolist() == ["/a/b", "/a/c"]


def test_some_of_them_are_a_table_too() -> None:
    paths = paths_of(ODD)
    assert paths[np.array([3, 0])].tolist() == [ODD[3], ODD[0]]
    assert paths[1:3].tolist() == ODD[1:3]
    assert joined_paths([paths[:2], paths[2:]]).tolist() == ODD
    assert joined_paths([paths_of(["/x/1", "/x/2"]), paths_of(["/y/1"])]).tolist() == ["/x/1", "/x/2", "/y/1"]


def test_many_paths_take_no_more_than_their_letters() -> None:
    names = [f"/data/class_{k % 10}/{k:07}.jpg" for k in range(1000)]
    assert paths_of(names).table.nbytes == 1000 * len("class_0/0000000.jpg")


def test_stamps_are_those_of_the_files_and_zero_where_there_is_none(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    paths[0].write_bytes(b"123")
    os.utime(paths[0], ns=(5, 7))
    assert paths_of(paths).stamps().tolist() == [[3, 7], [0, 0]]
