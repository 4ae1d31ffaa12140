# room: detection
"""What a report says of images with boxes: numbers of errors, a table of all boxes, pictures with boxes."""

import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.box_labels import framed, padded
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.named import named
from imagelab.evaluation.predictions import Predictions, of_split
from imagelab.metrics.box_errors import box_errors
from imagelab.pages.box_picture import GOOD, WRONG
from imagelab.reports import box_sections
from imagelab.reports.of_boxes import COLUMNS, of_boxes, table_of
from imagelab.task.detect import Detect
from tests.in_process import imagelab, trained
from tests.metrics.test_box_errors import PERFECT, PLANTED
from tests.metrics.test_box_errors import TRUE as TRUTH
from tests.metrics.test_boxes import rows
from tests.task.test_detect import BRIEF

CLASSES = ["ant", "bee", "cat"]


def found_on(images: list[list[tuple[float, ...]]], labels=TRUTH, pictures=None, names=()) -> Predictions:
    outputs = torch.stack([rows(*boxes, count=100) for boxes in images]).flatten(1)
    return Predictions(
        split="val",
        weights="raw",
        classes=CLASSES,
        outputs=outputs.numpy(),
        labels=labels,
        task=Detect(classes=CLASSES),
        names=np.array(names),
        images=pictures,
    )


def test_the_findings_count_the_planted_errors_and_say_what_helps_against_the_costliest():
    worse = [[*PERFECT[0][1:], (*PLANTED["background"][:5], 0.99)], PERFECT[1]]
    parts = of_boxes(found_on(worse))
    by_name = {one.name: one for one in parts.findings}
    counts = by_name["kinds of errors on val"]
    assert {kind: count for kind, count in counts.value.items() if count} == {"background": 1, "missed": 1}
    assert "'missed' costs most: 0.250 of AP50" in counts.why
    assert "data.size" in counts.fix
    assert by_name["average precision on val"].status == "INFO"
    assert by_name["weakest class"].value == "ant"
    assert parts.figures[0].name == "AP50 on val"
    assert [one.title for one in parts.sections] == [
        "Precision and recall",
        "Sizes",
        "Kinds of errors",
        "Worst images",
    ]


def test_a_network_that_finds_nothing_is_a_warning_and_a_split_without_boxes_a_fact():
    assert of_boxes(found_on([[], []])).findings[0].status == "WARN"
    bare = of_boxes(found_on([[], []], labels=padded([np.empty((0, 5))] * 2)))
    assert [one.why for one in bare.findings] == ["No image of this split has a box."]


def test_the_table_has_a_row_for_each_box_in_pixels_of_its_photo_the_worst_image_first():
    labels = TRUTH.copy()
    labels[1, :, 5] = 4  # the photo has four times the pixels of what the network sees
    found = found_on([PERFECT[0], []], labels, names=["one.jpg", "two.jpg"])
    table = [*csv.reader(io.StringIO(table_of(found, box_errors(found.predictions, found.labels))))]
    assert tuple(table[0]) == COLUMNS
    assert table[1] == ["two.jpg", "cat", "", "0", "0", "80", "80", "missed", ""]
    assert table[2] == ["one.jpg", "ant", "0.9", "10", "10", "30", "30", "right", "1.000"]


def test_boxes_are_drawn_where_they_are_on_photos_of_another_size(tmp_path, monkeypatch):
    file = tmp_path / "photo.png"
    Image.new("RGB", (640, 320)).save(file)
    sizes = np.array([[640, 320]], dtype=np.int32)
    labels = framed(padded([np.array([[0, 320, 160, 640, 320]])]), sizes, 64)
    pictures = Files([file], labels, sizes)
    drawn = []
    monkeypatch.setattr(box_sections, "gallery", lambda given, **_: drawn.extend(given) or "")
    wrong = (1, 0, 0, 16, 16, 0.9)
    found = found_on([[(0, 32, 16, 64, 32, 0.95), wrong]], labels, pictures)
    box_sections.worst_section(found, box_errors(found.predictions, labels), least=0.5)
    pixels = drawn[0].pixels
    assert pixels.shape == (112, 224, 3)
    assert (pixels[56, 112] == GOOD).all()  # covers the true box
    assert (pixels[111, 223] == GOOD).all()
    assert (pixels[40, 55] == WRONG).all()  # the right edge of 16 of 64 pixels
    assert "1 wrong" in drawn[0].caption


def test_outputs_of_a_split_keep_pictures_and_names_though_boxes_are_in_other_pixels():
    pictures = Arrays(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), TRUTH)
    inner = Arrays(pictures.images, framed(TRUTH, np.array([[8, 8]] * 2), 16))
    data = SimpleNamespace(classes=CLASSES, named=named({"val": pictures}), splits={"val": inner}, signals={})
    seen = torch.zeros(2, 601), torch.from_numpy(inner.labels)
    found = of_split(data, "val", "raw", seen, task=Detect(classes=CLASSES), ranks=1)
    assert found.name(1) == "val/1"
    assert box_sections.pixels_per_row(found, 0, 8) == pytest.approx(0.5)


def test_a_run_ends_in_a_page_on_boxes_and_report_makes_it_again(tmp_path):
    run = trained(*BRIEF, folder=tmp_path)
    page = (run / "report.html").read_text(encoding="utf-8")
    for title in ("Precision and recall", "Sizes", "Kinds of errors", "Worst images"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<figure>") == 4
    before = (run / "val_predictions.csv").read_text()
    assert imagelab("report", f"run={run}", folder=tmp_path).status == 0
    assert (run / "val_predictions.csv").read_text() == before
    findings = json.loads((run / "report.json").read_text())
    assert any(one["name"] == "kinds of errors on val" for one in findings)
