# room: detection
"""Mistakes with boxes are planted one at a time into a sound run, and the check meant for each finds it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.augment.flip import Flip
from imagelab.box_labels import CLASS, CORNERS, NO_BOX, there
from imagelab.checks import boxes
from imagelab.checks.run import CHEAP, run
from imagelab.checks.subject import Subject
from imagelab.finding import Finding
from tests.zoo import subject

SIDE = 64
WORDS = ["task=detect", "trainer=cpu", "data.count=80", "model.width=32", "model.convs=1"]
OWN = ("boxes", "boxes follow the images", "boxes of augmented images", "anchors", "loss of boxes at init")


def checked(run_of: Subject, name: str) -> Finding:
    return run(run_of, fast=True, only=[name])[0]


def change(planted: Subject, way: Any) -> None:
    """Change the boxes of all splits: rows (n, 6) -> rows."""
    for split, images in planted.data.splits.items():
        labels = images.labels.copy()  # other tests have the same
        for rows in labels:
            own = there(rows)
            rows[own] = way(rows[own].copy())
        planted.data.splits[split] = images.relabel(labels)


def corners(way: Any) -> Any:
    def changed(rows: np.ndarray) -> np.ndarray:
        rows[:, CORNERS] = way(rows[:, CORNERS])
        return rows

    return changed


def offset(rows: np.ndarray, by: int = 1) -> np.ndarray:
    rows[:, CLASS] += by
    return rows


def nothing(rows: np.ndarray) -> np.ndarray:
    rows[:, CLASS], rows[:, CORNERS] = NO_BOX, 0
    return rows


BUGS = {  # what is wrong -> the change, the check that must fail, and a word of what it says
    "width and height for right and bottom": (
        corners(lambda b: np.hstack([b[:, :2], b[:, 2:] - b[:, :2]])),
        "boxes",
        "left + width",
    ),
    "shares for pixels": (corners(lambda b: b / SIDE), "boxes", "multiply"),
    "x and y swapped": (corners(lambda b: b[:, [1, 0, 3, 2]]), "boxes follow the images", "top, left"),
    "boxes of mirrored images": (
        corners(lambda b: np.column_stack([SIDE - b[:, 2], b[:, 1], SIDE - b[:, 0], b[:, 3]])),
        "boxes follow the images",
        "mirrored",
    ),
    "labels offset by the background": (offset, "boxes", "without a background"),
    "images of another size": (corners(lambda b: b * 4), "boxes", "scale boxes"),
    "no boxes at all": (nothing, "boxes", "annotations"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_mistake_is_found_by_the_check_meant_for_it(bug):
    way, name, word = BUGS[bug]
    planted = subject(WORDS)
    change(planted, way)
    found = checked(planted, name)
    assert found.status == "FAIL", found
    assert word in found.fix + found.why


def written(folder: Path, way: Any) -> list[str]:
    """Words for 20 pictures, each with a block whose box (left, top, right, bottom) is changed."""
    rng = np.random.default_rng(0)
    lines = ["file,label,left,top,right,bottom"]
    for number in range(20):
        pixels = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        left, top = rng.integers(0, 32, 2)
        pixels[top : top + 30, left : left + 20] += 150
        Image.fromarray(pixels).save(folder / f"{number}.png")
        box = way(np.array([left, top, left + 20, top + 30], float), number)
        lines.append(f"{number}.png,block,{','.join(f'{value:g}' for value in box)}")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    return ["data=boxes", f"data.root={folder}", f"data.size={SIDE}", "data.batch_size=2"]


READ = {  # what is wrong with the files -> the change, the status, and a word of what the check says
    "left, top, width, height": (lambda box, _: [*box[:2], *(box[2:] - box[:2])], "FAIL", "left + width"),
    "shares": (lambda box, _: box / SIDE, "FAIL", "multiply"),
    "images of half the size": (lambda box, _: box * 2, "FAIL", "scale boxes"),
    "one box without an area": (
        lambda box, n: [*box[:2], *box[:2]] if n == 3 else box,
        "WARN",
        "3.png block",
    ),
    "nothing": (lambda box, _: box, "OK", "areas"),
}


@pytest.mark.parametrize("bug", READ)
def test_boxes_that_are_left_out_or_cut_off_when_they_are_read_are_not_forgotten(bug, tmp_path):
    way, status, word = READ[bug]
    found = checked(subject([*WORDS[:2], *WORDS[3:], *written(tmp_path, way)]), "boxes")
    assert found.status == status, found
    assert word in found.fix + found.why + found.expected


def test_images_flipped_without_their_boxes_are_found_on_the_images_too(monkeypatch):
    assert checked(subject([*WORDS, "augment=[flip]"]), "boxes of augmented images").status == "OK"
    monkeypatch.setattr(Flip, "move", lambda self, boxes, *_: boxes)
    monkeypatch.setattr(boxes, "strays", lambda data: {})
    found = checked(subject([*WORDS, "augment=[flip]"]), "boxes of augmented images")
    assert found.status == "FAIL"
    assert "mirrored" in found.why


def test_most_images_without_a_box_are_a_warning():
    planted = subject(WORDS)
    train = planted.data.splits["train"]
    labels = train.labels.copy()
    labels[20:, :, CLASS] = NO_BOX
    planted.data.splits["train"] = train.relabel(labels)
    found = checked(planted, "boxes")
    assert found.status == "WARN"
    assert "% of the training images have no box" in found.why


def test_anchors_far_larger_than_the_boxes_match_nothing():
    words = [*WORDS[:3], "model=retinanet", "model.width=32"]
    assert checked(subject(words), "anchors").status == "OK"
    assert checked(subject([*words, "model.anchor=60"]), "anchors").status == "FAIL"


def test_few_steps_from_random_weights_are_a_warning_unless_the_network_is_made_for_them():
    few = [*WORDS, "trainer.max_epochs=2", "model.levels=[3,4]"]
    name = "steps from random weights"
    found = checked(subject([*few, "model.backbone=test_resnet"]), name)
    assert (found.status, found.value) == ("WARN", "20 steps")
    assert "model.pretrained=true" in found.fix
    assert (
        checked(
            subject([*few[:-2], "model.levels=[3,4]", "model.backbone=test_resnet", "trainer.max_epochs=80"]),
            name,
        ).status
        == "OK"
    )
    assert checked(subject(few), name).status == "INFO"


def test_channels_that_a_detector_leaves_out_are_found_without_a_break():
    found = checked(subject([*WORDS, "model.dropout2d=0.3"]), "dropout")
    assert (found.status, found.value) == ("OK", "at most 30% left out")


def test_scores_that_start_at_a_half_are_a_loss_that_is_too_high():
    planted = subject(WORDS)
    assert checked(planted, "loss of boxes at init").status == "OK"
    with torch.no_grad():
        planted.classifier.net.finder.head.classification_head.cls_logits.bias.fill_(4.0)  # type: ignore[union-attr]
    assert checked(planted, "loss of boxes at init").status == "FAIL"


PHOTO = 160  # pixels: side of what the network sees of a photo of blood cells
ON_PHOTOS = {  # what is wrong with boxes of real photos -> the change, and a word of what the check says
    "x and y swapped": (lambda b: b[:, [1, 0, 3, 2]], "top, left, bottom, right"),
    "boxes of mirrored photos": (
        lambda b: np.column_stack([PHOTO - b[:, 2], b[:, 1], PHOTO - b[:, 0], b[:, 3]]),
        "mirrored",
    ),
    "boxes of smaller photos": (lambda b: b / 2, "another size"),
    "width and height for right and bottom": (
        lambda b: np.hstack([b[:, :2], b[:, 2:] - b[:, :2]]),
        "left, top, width, height",
    ),
}


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("bug", ON_PHOTOS)
def test_a_planted_mistake_is_named_on_photos_of_blood_cells(bccd, bug):
    words = ["data=boxes", f"data.root={bccd}", f"data.size={PHOTO}", "data.batch_size=4"]
    planted = subject([*WORDS[:2], *WORDS[3:], *words])
    assert checked(planted, "boxes follow the images").status == "OK"
    planted.pictures.clear()
    way, word = ON_PHOTOS[bug]
    change(planted, corners(way))
    found = checked(planted, "boxes follow the images")
    assert found.status == "FAIL"
    assert word in found.why


@pytest.mark.slow
@pytest.mark.parametrize("model", ["fcos", "retinanet", "faster_rcnn"])
def test_no_check_fails_on_a_sound_detector(model):
    sound = subject([*WORDS[:3], f"model={model}", "augment=[flip,scale_jitter]"])
    found = run(sound, fast=True)
    assert [one for one in found if one.status == "FAIL"] == []
    assert {*OWN} <= {*CHEAP}


@pytest.mark.slow
@pytest.mark.parametrize("words", [["model=fcos"], ["model=retinanet"], ["model=faster_rcnn"]], ids=" ".join)
def test_a_few_images_are_memorised_within_the_budget_that_check_has(words):
    sound = subject(["task=detect", "trainer=cpu", "data.count=80", *words])
    found = run(sound, fast=False, only=["boxes memorised"])[0]
    assert found.status == "OK", found


@pytest.mark.slow
def test_a_few_images_are_not_memorised_without_a_rate():
    stuck = run(subject([*WORDS, "optimizer.lr=1e-9"]), fast=False, only=["boxes memorised"])[0]
    assert stuck.status == "FAIL", stuck
