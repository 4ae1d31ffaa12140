# room: detection
"""Boxes follow pixels: each box's content is painted, and found again where its box is."""

import numpy as np
import pytest
import torch
from torch import Tensor

from imagelab.augment.apply import mix_batch
from imagelab.augment.boxes import VISIBLE, augment_boxes, box_steps, placed
from imagelab.augment.flip import Flip
from imagelab.box_labels import padded, there
from imagelab.config import menu
from imagelab.config.compose import compose, plain
from imagelab.config.facts import says
from imagelab.config.make import make
from imagelab.config.validate import problems
from imagelab.randomness import stream
from tests.augment.pictures import keys

SIDE = 48
PAINT = 220  # in the channel of the class of each box
BOXES = np.array([[0, 6, 9, 20, 17], [1, 26, 20, 37, 40]])
FOLLOWING = [
    name
    for name in menu.choices("augment")
    if name != "none" and says(menu.value("augment", name, name)).follows_boxes
]
PIXELS_ONLY = ("color_jitter", "noise")
HARD = {"cutout": {"size": 14}}  # pixels


def augmentation(name: str):
    node = menu.value("augment", name, name) | HARD.get(name, {})
    border = {"border": "zero"} if "border" in node else {}
    chance = {"p": 1.0} if "p" in node and name != "flip" else {}
    soft = {"feather": 0} if "feather" in node else {}
    return make(node | border | chance | soft)


def painted(count: int) -> tuple[Tensor, Tensor]:
    images = torch.zeros(count, 3, SIDE, SIDE, dtype=torch.uint8)
    for label, left, top, right, bottom in BOXES.tolist():
        images[:, label, top:bottom, left:right] = PAINT
    return images, torch.from_numpy(padded([BOXES] * count))


def around(image: Tensor) -> list[float] | None:
    """The box around the painted pixels of a channel (H, W)."""
    rows, columns = torch.nonzero(image > PAINT / 2, as_tuple=True)
    if not len(rows):
        return None
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def assert_found(images: Tensor, labels: Tensor, *, off: float) -> int:
    """Each box is around the paint of its class, up to `off` pixels; the number of boxes."""
    count = 0
    for image, rows in zip(images, labels, strict=True):
        for box in rows[there(rows)]:
            mine = around(image[int(box[0])])
            assert mine is not None
            assert np.abs(np.array(mine) - box[1:5].numpy()).max() <= off, (mine, box.tolist())
            count += 1
    return count


@pytest.mark.parametrize("name", ["flip", "crop", "translate", "scale_jitter", "rotate", "shear", "stretch"])
def test_boxes_go_where_their_content_goes_in_1000_draws(name):
    before = painted(1000)
    images, labels = augment_boxes(*before, keys(1000), box_steps([augmentation(name)]))
    if name in ("rotate", "shear"):  # the corners of a slanted box may be cut off, and its box is around them
        inside = (labels[..., 1:5] > 0).all(-1) & (labels[..., 1:5] < SIDE).all(-1)
        labels[..., 0] = torch.where(inside, labels[..., 0], -1)
    assert assert_found(images, labels, off=1.6 if name not in ("flip", "translate") else 0) > 800
    assert not torch.equal(labels, before[1])


@pytest.mark.parametrize("name", PIXELS_ONLY)
def test_changes_of_pixels_leave_boxes_alone(name):
    before = painted(50)
    images, labels = augment_boxes(*before, keys(50), box_steps([augmentation(name)]))
    assert torch.equal(labels, before[1])
    assert not torch.equal(images, before[0])


def test_an_augmentation_listed_twice_moves_boxes_by_both_draws():
    steps = box_steps([augmentation("translate"), augmentation("flip"), augmentation("translate")])
    assert assert_found(*augment_boxes(*painted(200), keys(200), steps), off=0) > 200


def test_a_box_of_which_less_than_a_quarter_is_left_is_dropped():
    labels = torch.from_numpy(padded([np.array([[0, 0, 0, 20, 10]])]))
    for shift, kept in ((-14, True), (-16, False), (-30, False)):
        moved = placed(labels, labels[..., 1:5] + torch.tensor([shift, 0, shift, 0]), SIDE, SIDE)
        assert bool(there(moved)[0, 0]) == kept, shift
        assert moved[0, 0, 1:5].tolist() == ([0, 0, 20 + shift, 10] if kept else [0, 0, 0, 0])


def test_cutout_drops_what_it_hides_and_only_that():
    images, labels = augment_boxes(*painted(1000), keys(1000), box_steps([augmentation("cutout")]))
    dropped = 0
    for image, rows in zip(images, labels, strict=True):
        for (label, left, top, right, bottom), row in zip(BOXES.tolist(), rows, strict=True):
            share = float((image[label, top:bottom, left:right] == PAINT).float().mean())
            assert bool(there(row)) == (share >= VISIBLE - 1e-6)
            dropped += not there(row)
    assert 10 < dropped < 500


@pytest.mark.parametrize("name", ["copy_paste", "mosaic"])
def test_composed_images_have_the_boxes_of_what_they_show(name):
    images, labels = painted(6)
    images, labels = images.float(), labels
    found = 0
    for draw in range(60):
        mixed, boxes = mix_batch(images, labels, [augmentation(name)], stream(draw, "test"))
        for image, rows in zip(mixed, boxes, strict=True):
            shown = rows[there(rows)]
            for label, left, top, right, bottom, _ in shown.round().int().tolist():
                inside = image[label, top:bottom, left:right] > PAINT / 2
                assert inside.float().mean() >= (VISIBLE if name == "copy_paste" else 0.9)
                found += 1
            outside = image.amax(dim=0)
            for _, left, top, right, bottom, _ in rows.round().int().tolist():
                outside[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 0
            assert (outside > 0).float().mean() < 0.06  # rests of what is hardly seen
    assert found > 300


def test_mixup_has_the_boxes_of_both_images_unless_one_is_hardly_seen():
    images, labels = painted(2)
    labels[1, :, 0] = torch.tensor([1, -1])
    images[1] = 0
    images[1, 1, 9:17, 6:20] = PAINT
    counts = set()
    for draw in range(40):
        mixed, boxes = mix_batch(images.float(), labels, [augmentation("mixup")], stream(draw, "test"))
        own = float(mixed[0, 1, 30, 30]) / PAINT  # only the first image is bright there
        expected = 2 * (own >= VISIBLE) + 1 * (1 - own >= VISIBLE)
        if not torch.equal(mixed[0], images[0].float()):  # else it was its own partner
            assert int(there(boxes)[0].sum()) == expected
            counts.add(expected)
    assert len(counts) > 1


def test_a_crop_enlarges_objects_and_cuts_them_but_shows_one_at_least():
    _, labels = augment_boxes(*painted(1000), keys(1000), box_steps([augmentation("crop")]))
    sides = labels[..., 3:5] - labels[..., 1:3]
    shown = there(labels)
    assert shown.any(dim=1).float().mean() > 0.99
    assert not shown.all()
    assert sides[:, 0, 1].amax() > 2 * 8  # the first box was 8 pixels tall
    cut = ((labels[..., 1:3] == 0) | (labels[..., 3:5] == SIDE)).any(dim=-1) & shown
    assert 0.1 < cut[shown].float().mean() < 0.6


def test_a_crop_of_images_with_boxes_needs_no_border():
    cfg = compose("train", ["task=detect", "augment=[crop]"]).cfg
    assert cfg is not None
    assert not problems(plain(cfg))


def test_objects_in_a_mirrored_border_are_refused():
    cfg = compose("train", ["task=detect", "augment=[rotate]", "augment.rotate.border=reflect"]).cfg
    assert cfg is not None
    assert any("augment.rotate.border=zero" in sentence for sentence in problems(plain(cfg)))


def test_every_augmentation_that_says_so_was_tested_here():
    assert {*FOLLOWING} == {
        "color_jitter", "copy_paste", "crop", "cutout", "flip", "mixup", "mosaic", "noise", "rotate",
        "scale_jitter", "shear", "stretch", "translate",
    }  # fmt: skip
    assert says({"_target_": f"{Flip.__module__}.Flip"}).follows_boxes
