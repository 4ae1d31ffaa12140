# room: detection
import contextlib
import io

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from imagelab.box_labels import COLUMNS, NO_BOX, SCALE, padded
from imagelab.metrics.boxes import NAMES, ap_per_class, box_metrics

TRUE = padded([np.array([[0, 10, 10, 20, 20], [1, 30, 30, 50, 50]]), np.array([[0, 0, 0, 10, 10]])])


def rows(*boxes: tuple[float, ...], count: int = 3) -> Tensor:
    empty = (NO_BOX,) + (0.0,) * (COLUMNS - 1)
    return torch.tensor([*boxes, *[empty] * (count - len(boxes))])


def guesses(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random boxes of 3 classes, and detections near half of them, among others."""
    rng = np.random.default_rng(seed)
    true, found = [], []
    for _ in range(count):
        corner, size = rng.uniform(0, 200, (6, 2)), rng.uniform(4, 160, (6, 2))
        boxes = np.column_stack([rng.integers(0, 3, 6), corner, corner + size])[: rng.integers(0, 7)]
        moved = boxes.copy()
        moved[:, 1:] += rng.normal(0, 5, moved[:, 1:].shape)
        moved[:, 3:] = np.maximum(moved[:, 3:], moved[:, 1:3] + 1)
        moved = np.column_stack([moved, rng.uniform(0, 1, len(moved))])
        true.append(boxes)
        found.append(rows(*map(tuple, moved[rng.permutation(len(moved))].tolist()), count=6))
    labels = padded(true)
    labels[..., SCALE] = rng.uniform(0.5, 2, (count, 1))
    return torch.stack(found), torch.from_numpy(labels)


def coco(found: Tensor, labels: Tensor) -> list[float]:
    """The twelve numbers of pycocotools, for boxes in pixels of the photos."""
    truth, guessed = [], []
    for image, (own, label) in enumerate(zip(found.numpy(), labels.numpy(), strict=True)):
        scale = float(label[0, SCALE])
        for one in label[label[:, 0] >= 0]:
            left, top, right, bottom = (one[1:5] * scale).astype(float).tolist()
            box = [left, top, right - left, bottom - top]
            facts = {"id": len(truth) + 1, "iscrowd": 0, "area": box[2] * box[3], "bbox": box}
            truth.append(facts | {"image_id": image, "category_id": int(one[0])})
        for one in own[own[:, 0] >= 0]:
            left, top, right, bottom = (one[1:5] * scale).astype(float).tolist()
            facts = {"bbox": [left, top, right - left, bottom - top], "score": float(one[5])}
            guessed.append(facts | {"image_id": image, "category_id": int(one[0])})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        images, kinds = [{"id": image} for image in range(len(labels))], [{"id": k} for k in range(3)]
        known.dataset = {"images": images, "annotations": truth, "categories": kinds}
        known.createIndex()
        measured = COCOeval(known, known.loadRes(guessed), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    return measured.stats.tolist()


def test_the_numbers_are_those_of_pycocotools():
    found, labels = guesses(30, seed=0)
    mine = box_metrics(found, labels)
    theirs = dict(zip(NAMES, [*(stats := coco(found, labels))[:6], stats[8]], strict=True))
    assert {name: float(value) for name, value in mine.items()} == pytest.approx(theirs, abs=1e-6)
    assert 0.1 < mine["ap"] < mine["ap50"] < 1


def test_boxes_as_they_are_have_an_ap_of_1_and_none_at_all_0():
    labels = torch.from_numpy(TRUE)
    exact = torch.stack(
        [rows((0, 10, 10, 20, 20, 0.9), (1, 30, 30, 50, 50, 0.8)), rows((0, 0, 0, 10, 10, 0.9))]
    )
    assert box_metrics(exact, labels) == {"ap": 1, "ap50": 1, "ap75": 1, "ap_small": 1, "recall": 1}
    assert box_metrics(torch.stack([rows(), rows()]), labels)["ap"] == 0
    assert ap_per_class(exact, labels) == {0: 1.0, 1: 1.0}


def test_sizes_are_those_in_the_photo_not_in_the_input_of_the_network():
    labels = torch.from_numpy(TRUE.copy())
    labels[..., SCALE] = 10
    found = torch.stack([rows((0, 10, 10, 20, 20, 0.9)), rows()])
    assert {"ap_small", "ap_medium"}.isdisjoint(box_metrics(found, labels))
    assert "ap_large" in box_metrics(found, labels)


def test_images_without_a_box_and_a_detection_give_no_number_instead_of_a_wrong_one():
    nothing = torch.from_numpy(padded([np.empty((0, 5))]))
    assert box_metrics(rows()[None], nothing) == {}
