# room: detection
"""Boxes of several sources become one set: the formula by hand, and nothing changes where they agree."""

import numpy as np
import pytest
import torch

from imagelab.box_labels import padded
from imagelab.metrics.box_fusion import fused
from imagelab.metrics.boxes import box_metrics
from imagelab.task.detect import Detect


def rows(*boxes: list[float]) -> torch.Tensor:
    """Rows (1, 5, 6) of one image: class, corners, score."""
    found = torch.zeros(1, 5, 6)
    found[..., 0] = -1
    for place, box in enumerate(boxes):
        found[0, place] = torch.tensor(box)
    return found


def test_three_boxes_are_fused_as_in_the_paper():
    first = rows([1, 0, 0, 10, 10, 0.8], [0, 0, 0, 10, 10, 0.3])  # of another class: stays apart
    second = rows([1, 1, 0, 11, 10, 0.4])  # IoU 9 / 11 with the first
    whole = fused(torch.stack([first, second, rows()]))[0]
    # Weights 0.8 and 0.4; score 0.6 by two of three sources; one of three found the other class.
    assert whole[0].tolist() == pytest.approx([1, 1 / 3, 0, 31 / 3, 10, 0.6 * 2 / 3])
    assert whole[1].tolist() == pytest.approx([0, 0, 0, 10, 10, 0.1])
    assert (whole[2:, 0] == -1).all()


def test_more_boxes_than_sources_do_not_raise_the_score():
    twice = rows([1, 0, 0, 10, 10, 0.8], [1, 0, 1, 10, 10, 0.6])
    assert fused(torch.stack([twice, twice]))[0, 0, 5].item() == pytest.approx(0.7)


def found_and_true() -> tuple[torch.Tensor, torch.Tensor]:
    """Detections (20, 100, 6) that differ a little from true boxes, none with an IoU above 0.6 of another."""
    rng = np.random.default_rng(0)
    found, true = np.zeros((20, 100, 6), np.float32), []
    found[..., 0] = -1
    for image in found:
        corners = np.array([[x, y, x + 12, y + 12] for x in (2, 22, 42) for y in (2, 22, 42)], float)
        kinds = rng.integers(0, 3, 9)
        true.append(np.column_stack([kinds, corners]))
        image[:9, 0] = np.where(rng.random(9) < 0.8, kinds, 2 - kinds)
        image[:9, 1:5] = corners + rng.normal(0, 2, (9, 4))
        image[:9, 5] = np.sort(rng.random(9))[::-1]
    return torch.from_numpy(found), torch.from_numpy(padded(true))


def test_a_set_fused_with_itself_is_the_same_and_so_is_its_precision():
    found, true = found_and_true()
    twice = fused(torch.stack([found, found]))
    assert torch.equal(twice, found)
    before, after = box_metrics(found, true), box_metrics(twice, true)
    assert 0 < before["ap"] < 1
    assert after == before


def test_boxes_of_a_mirror_image_come_back_to_the_bit():
    task = Detect(classes=["a", "b", "c"])
    found, _ = found_and_true()
    found = (found * 4).round() / 4  # so that no subtraction rounds
    mirrored = task.mirrored(found, 64)
    assert torch.equal(mirrored[0, 0, [1, 3]], 64 - found[0, 0, [3, 1]])
    assert torch.equal(task.mirrored(mirrored, 64), found)
    assert torch.equal(mirrored[:, 9:], found[:, 9:])  # no boxes there


def test_classes_in_another_order_are_renamed():
    renamed = Detect(classes=["b", "a"]).renamed(rows([0, 0, 0, 9, 9, 1], [1, 0, 0, 9, 9, 1]), [1, 0])
    assert renamed[0, :3, 0].tolist() == [1, 0, -1]
