# room: detection
import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from imagelab.box_labels import there
from imagelab.data.boxes import Boxes
from imagelab.data.files import Files
from imagelab.problem import Problem

TRUTH = {  # file -> its split, and boxes; pictures are 40 x 20
    "a.png": ("train", [("cat", 0.0, 0.0, 10.0, 10.0), ("dog", 4.0, 5.0, 24.0, 15.0)]),
    "b.png": ("train", []),
    "c.png": ("val", [("dog", 30.0, 10.0, 40.0, 20.0)]),
}


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(TRUTH):
        cv2.imwrite(str(folder / name), np.full((20, 40, 3), 50 * number, np.uint8))


def write_coco(root: Path) -> None:
    write_pictures(root / "pictures")
    kinds = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
    for split in ("train", "val"):
        mine = {name: boxes for name, (part, boxes) in TRUTH.items() if part == split}
        images = [{"id": k, "file_name": name, "width": 40, "height": 20} for k, name in enumerate(mine)]
        boxes = [
            {"id": 1, "image_id": k, "category_id": {"cat": 3, "dog": 7}[c], "bbox": [x, y, r - x, b - y]}
            for k, rows in enumerate(mine.values())
            for c, x, y, r, b in rows
        ]
        crowd = {"id": 9, "image_id": 0, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1}
        content = {"images": images, "annotations": [*boxes, crowd], "categories": kinds}
        (root / f"instances_{split}2017.json").write_text(json.dumps(content))


def write_voc(root: Path) -> None:
    write_pictures(root / "JPEGImages")
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for split in ("train", "val"):
        stems = [Path(name).stem for name, (part, _) in TRUTH.items() if part == split]
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(stems) + "\n")
    for name, (_, boxes) in TRUTH.items():
        objects = "".join(
            f"<object><name>{c}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{r}</xmax>"
            f"<ymax>{b}</ymax></bndbox></object>"
            for c, x, y, r, b in boxes
        )
        file = root / "Annotations" / f"{Path(name).stem}.xml"
        file.write_text(f"<annotation><filename>{name}</filename>{objects}</annotation>")


def write_yolo(root: Path) -> None:
    for split in ("train", "val"):
        (root / "labels" / split).mkdir(parents=True)
    write_pictures(root / "images" / "train")
    (root / "images" / "val").mkdir()
    for name, (split, boxes) in TRUTH.items():
        if split == "val":
            (root / "images" / "train" / name).rename(root / "images" / "val" / name)
        lines = [
            f"{['cat', 'dog'].index(c)} {(x + r) / 80} {(y + b) / 40} {(r - x) / 40} {(b - y) / 20}\n"
            for c, x, y, r, b in boxes
        ]
        if lines:
            (root / "labels" / split / f"{Path(name).stem}.txt").write_text("".join(lines))
    (root / "data.yaml").write_text("names: {0: cat, 1: dog}\n")


def write_csv(root: Path) -> None:
    write_pictures(root / "pictures")
    lines = ["file,label,xmin,ymin,xmax,ymax,split"]
    for name, (split, boxes) in TRUTH.items():
        rows = [",".join(map(str, box)) for box in boxes] or [",,,,"]
        lines += [f"{name},{row},{split}" for row in rows]
    (root / "boxes.csv").write_text("\n".join(lines) + "\n")


WRITERS = {"coco": write_coco, "voc": write_voc, "yolo": write_yolo, "csv": write_csv}


def source(root: Path, annotations: str = "auto") -> Boxes:
    return Boxes(root=str(root), annotations=annotations, on_bad_image="error", max_pixels=10**6)


@pytest.mark.parametrize("form", WRITERS)
def test_each_format_is_recognised_and_gives_the_same_boxes_and_splits(tmp_path, form):
    WRITERS[form](tmp_path / "data")
    found = source(tmp_path / "data")
    assert found.classes == ["cat", "dog"]
    for split in ("train", "val"):
        images = found.splits[split]
        assert isinstance(images, Files)
        names = [Path(path).name for path in images.paths]
        assert names == [name for name, (part, _) in TRUTH.items() if part == split]
        for name, rows in zip(names, images.labels, strict=True):
            boxes = [(found.classes[int(row[0])], *row[1:5].tolist()) for row in rows[there(rows)]]
            assert boxes == [pytest.approx(box, abs=1e-4) for box in TRUTH[name][1]]


def test_boxes_are_cut_off_at_the_border_and_those_without_an_area_left_out_by_name(tmp_path, caplog):
    write_pictures(tmp_path / "data")
    rows = ["a.png,cat,-5,2,10,30", "a.png,cat,8,8,8,8", "b.png,cat,50,2,60,9", "c.png,cat,1,1,3,3"]
    (tmp_path / "data" / "boxes.csv").write_text("\n".join(["file,label,left,top,right,bottom", *rows]))
    with caplog.at_level(logging.WARNING):
        train = source(tmp_path / "data").splits["train"]
    assert there(train.labels).sum(axis=1).tolist() == [1, 0, 1]
    assert train.labels[0, 0, 1:5].tolist() == [0, 2, 10, 20]
    assert "left out 2 boxes without an area: a.png cat [8.0, 8.0, 8.0, 8.0], b.png cat" in caplog.text


def test_two_formats_at_once_are_refused_until_one_is_named(tmp_path):
    write_csv(tmp_path / "data")
    (tmp_path / "data" / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(Problem, match=r"data\.annotations: .* has annotations of yolo and csv; name one"):
        source(tmp_path / "data")
    assert source(tmp_path / "data", "csv").classes == ["cat", "dog"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("d.png,cat,1,1,2,2,train", "names pictures that are not below data.root.*d.png"),
        (
            "a.png,cat,1,1,wide,2,train",
            "line 6: wants four numbers for xmin,ymin,xmax,ymax, got '1,1,wide,2'",
        ),
        ("a.png,cat,1,1,2,2,tests", "line 6: wants the split train, val or test, got 'tests'"),
    ],
)
def test_a_line_that_is_not_understood_is_named(tmp_path, line, says):
    write_csv(tmp_path / "data")
    with (tmp_path / "data" / "boxes.csv").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(Problem, match=says):
        source(tmp_path / "data")


def test_classes_that_are_counted_from_1_are_refused_with_the_line_that_has_one_too_many(tmp_path):
    write_yolo(tmp_path / "data")
    for file in (tmp_path / "data" / "labels").rglob("*.txt"):
        lines = [line.split(" ", 1) for line in file.read_text().splitlines()]
        file.write_text("\n".join(f"{int(label) + 1} {rest}" for label, rest in lines))
    with pytest.raises(
        Problem, match=r"line \d: class 2, and there are 2 classes, from 0 to 1; count from 0"
    ):
        source(tmp_path / "data")


@pytest.mark.data
def test_bccd_has_364_photos_with_4888_boxes_of_which_two_have_no_area(bccd, caplog):
    with caplog.at_level(logging.WARNING):
        found = source(bccd)
    assert found.classes == ["Platelets", "RBC", "WBC"]
    assert {split: len(images) for split, images in found.splits.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    assert sum(there(images.labels).sum() for images in found.splits.values()) == 4888 - 2
    assert "left out 2 boxes" in caplog.text
    assert "BloodImage_00338.jpg RBC" in caplog.text
    assert "BloodImage_00343.jpg RBC" in caplog.text
