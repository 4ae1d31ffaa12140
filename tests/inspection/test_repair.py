import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from imagelab.config.compose import compose
from imagelab.data.folder import Folder
from imagelab.inspection.command import on_folder
from imagelab.inspection.repair import repaired
from tests.fitting import FOLDER
from tests.in_process import imagelab
from tests.inspection.bad_files import encoded, scene

LABELS = np.zeros(6, dtype=int)


def test_a_given_split_does_not_change_and_copies_elsewhere_are_left_out():
    splits = np.array(["train", "train", "val", "val", "test", "test"])
    groups = np.array([0, 1, 2, 0, 0, 5])
    after = repaired(splits, groups, LABELS, given={"train", "val", "test"})
    assert after.tolist() == ["", "train", "val", "", "test", "test"]


def test_a_split_drawn_from_train_takes_groups_whole_and_gives_as_many_back():
    splits = np.array(["train"] * 80 + ["val"] * 20)
    labels = np.arange(100) % 2
    groups = np.arange(100)
    groups[[0, 2, 4]] = groups[80] = 0  # three of train are copies of one of val
    after = repaired(splits, groups, labels, given={"train"})
    assert (after[[0, 2, 4, 80]] == "val").all()
    counts = {split: np.bincount(labels[after == split]).tolist() for split in ("train", "val")}
    assert counts == {"train": [40, 40], "val": [10, 10]}


def test_copies_with_different_labels_are_not_given_back():
    splits = np.array(["val", "train", "val", "train", "train", "train"])
    groups, labels = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 0, 1, 0, 1])
    after = repaired(splits, groups, labels, given={"train"})
    assert after.tolist() == ["val"] * 4 + ["train"] * 2  # or val would lose an image of class 0


def test_frames_of_films_are_split_by_film():
    films = np.repeat(np.arange(40), 10)
    labels = films % 2
    splits = np.where(np.random.default_rng(0).random(400) < 0.2, "test", "train")
    after = repaired(splits, films, labels, given={"train"})
    assert all(len(set(after[films == film])) == 1 for film in range(40))
    assert abs((after == "test").sum() - (splits == "test").sum()) <= 20


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """60 pictures of two classes without splits; each fifth comes three times, changed."""
    root = tmp_path_factory.mktemp("leaky") / "photos"
    for k in range(60):
        folder = root / "ab"[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{k}.png").write_bytes(encoded(scene(k, 80, 80), "PNG"))
        if k % 5 == 0:
            (folder / f"{k}_again.png").write_bytes(
                encoded(scene(k, 80, 80), "PNG") + b"written by another program"
            )
            (folder / f"{k}_coarse.jpg").write_bytes(encoded(scene(k, 80, 80), quality=40))
    return root


def test_a_repaired_split_is_taken_by_training_and_is_clean_when_inspected_again(leaky, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    words = "inspect", "data=folder", f"data.root={leaky}"
    assert imagelab(*words, "split=repaired", f"hydra.run.dir={first}", folder=tmp_path).status == 0
    found = {finding["name"]: finding for finding in json.loads((first / "inspection.json").read_text())}
    assert found["copies across splits"]["status"] == "FAIL"
    command = found["repaired split"]["fix"].split()
    manifest = command[-1].removeprefix("data.manifest=")
    assert imagelab(*words, command[-1], f"hydra.run.dir={second}", folder=tmp_path).status == 0
    again = {finding["name"]: finding for finding in json.loads((second / "inspection.json").read_text())}
    assert again["copies across splits"]["status"] == "OK"
    taken = Folder(root=str(leaky), **FOLDER | {"manifest": manifest})
    with Path(manifest).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(images) for images in taken.splits.values()) == 60 + 2 * 12
    assert {row["split"] for row in rows} == set(taken.splits) == {"train", "val", "test"}


@pytest.mark.parametrize("name", ["my photos, (1)=x", "a \"quoted\" 'one' + ~", "größe", "plain/one-2.x"])
def test_the_command_to_paste_is_read_back_by_the_shell_and_by_hydra(name):
    typed = shlex.split(on_folder("inspect", root=name, manifest=f"/tmp/{name}.csv"))
    composed = compose("inspect", typed[2:])
    assert composed.cfg is not None
    assert (composed.cfg["data"]["root"], composed.cfg["data"]["manifest"]) == (name, f"/tmp/{name}.csv")
