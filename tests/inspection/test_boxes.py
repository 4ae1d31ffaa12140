# room: detection
"""Boxes with a fault are planted and named by file; on real photos the two without an area are among them."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.in_process import imagelab

PLANTED = {  # finding -> file and box, in pictures of 64 x 48 pixels
    "degenerate boxes": ("p0.png", "cat", 30, 10, 30, 20),
    "boxes outside their picture": ("p1.png", "cat", 50, 30, 90, 44),
    "tiny boxes": ("p2.png", "dog", 5, 5, 7, 20),
    "giant boxes": ("p3.png", "dog", 1, 1, 63, 47),
    "boxes given twice": ("p4.png", "cat", 10, 10, 30, 30),
}


def write(folder: Path, faults: bool) -> None:
    """Pictures of noise with a bright square in the box, and one without a box."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["file,label,left,top,right,bottom,split"]
    for number in range(60):
        split = ("train", "val", "test")[number // 20]
        pixels = rng.integers(0, 100, (48, 64, 3)).astype(np.uint8)
        left, top = (10, 10) if number == 4 else rng.integers(0, 24, 2)
        pixels[top : top + 20, left : left + 20] += 120
        cv2.imwrite(str(folder / f"p{number}.png"), pixels)
        kind = ("cat", "dog")[number % 2]
        lines.append(f"p{number}.png,{kind},{left},{top},{left + 20},{top + 20},{split}")
    lines[6] = "p5.png,,,,,,train"
    if faults:
        lines += [",".join(map(str, (*planted, "train"))) for planted in PLANTED.values()]
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")


def inspected(root: Path, folder: Path, *words: str) -> dict[str, dict]:
    out = folder / "out"
    told = imagelab(
        *("inspect", "task=detect", "data=boxes", f"data.root={root}", "trainer=cpu", "data.batch_size=8"),
        *words,
        f"hydra.run.dir={out}",
        folder=folder,
    )
    assert told.status == 0, told
    return {one["name"]: one for one in json.loads((out / "inspection.json").read_text())}


def test_planted_faults_are_named_by_file_and_nothing_else_is(tmp_path):
    write(tmp_path / "data", faults=True)
    found = inspected(tmp_path / "data", tmp_path, "data.size=64", "augment=[flip]")
    for name, (file, *_) in PLANTED.items():
        told = found[name]["value"]
        named = (
            [Path(one).name for one in told]
            if isinstance(told, dict)
            else [one.split()[0] for one in told.split("], ")]
        )
        assert found[name]["status"] == "WARN", name
        assert named == [file], name
    assert found["boxes per image"]["value"]["without"] == 1
    assert found["boxes per image"]["status"] == "INFO"
    assert "p5.png" in found["boxes per image"]["why"]
    assert found["boxes by class and split"]["value"]["val"] == {"cat": 10, "dog": 10}
    assert found["boxes follow the images"]["status"] == "OK"
    rows = [*csv.DictReader((tmp_path / "out" / "boxes.csv").open())]
    assert [Path(row["file"]).name for row in rows if row["flags"]] == ["p2.png", "p3.png", "p4.png"]
    page = (tmp_path / "out" / "inspection.html").read_text(encoding="utf-8")
    for title in ("Boxes", "Sizes, shapes and places of boxes", "Strange boxes", "What enters the network"):
        assert f"<h2>{title}</h2>" in page
    assert (tmp_path / "out" / "images" / "inputs.png").exists()


def test_boxes_in_another_format_are_a_failure_that_names_it(tmp_path):
    write(tmp_path / "data", faults=False)
    table = tmp_path / "data" / "boxes.csv"
    head, *lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    wide = [[*row[:4], "20", "20", row[6]] if row[1] else row for row in cells]
    table.write_text("\n".join([head, *map(",".join, wide)]) + "\n")
    found = inspected(tmp_path / "data", tmp_path, "data.size=64")
    assert found["degenerate boxes"]["status"] == "FAIL"
    assert "give left, top, right, bottom" in found["degenerate boxes"]["fix"]


def test_more_than_half_of_the_images_without_a_box_is_a_warning(tmp_path):
    write(tmp_path / "data", faults=False)
    table = tmp_path / "data" / "boxes.csv"
    lines = table.read_text().splitlines()
    bare = [f"{line.split(',')[0]},,,,,,{line.split(',')[6]}" for line in lines[1:]]
    mixed = [bare[place] if place % 3 else line for place, line in enumerate(lines[1:])]
    table.write_text("\n".join([lines[0], *mixed]) + "\n")
    found = inspected(tmp_path / "data", tmp_path, "data.size=64")["boxes per image"]
    assert found["status"] == "WARN"
    assert found["value"]["without"] == 40


def test_boxes_as_shares_of_which_none_is_left_are_a_failure_and_no_crash(tmp_path):
    write(tmp_path / "data", faults=False)
    table = tmp_path / "data" / "boxes.csv"
    head, *lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    shares = [[*row[:2], "0.1", "0.2", "0.3", "0.5", row[6]] if row[1] else row for row in cells]
    table.write_text("\n".join([head, *map(",".join, shares)]) + "\n")
    found = inspected(tmp_path / "data", tmp_path, "data.size=64")
    assert found["degenerate boxes"]["status"] == "FAIL"
    assert found["boxes by class and split"]["status"] == "FAIL"


@pytest.mark.slow
@pytest.mark.data
def test_the_two_boxes_of_bccd_without_an_area_are_named(bccd, tmp_path):
    found = inspected(bccd, tmp_path, "data.size=160")
    told = found["degenerate boxes"]["value"]
    assert "BloodImage_00338.jpg RBC [504.0, 337.0, 504.0, 337.0]" in told
    assert "BloodImage_00343.jpg RBC [181.0, 329.0, 181.0, 329.0]" in told
    assert found["degenerate boxes"]["status"] == "WARN"
    assert found["boxes follow the images"]["status"] == "OK"
    assert sum(sum(own.values()) for own in found["boxes by class and split"]["value"].values()) == 4886
