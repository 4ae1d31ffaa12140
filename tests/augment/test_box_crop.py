# room: detection
"""Windows by the boxes in them: as much overlap as was drawn, and how often the image stays whole."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from imagelab.augment.box_crop import DRAWS, BoxCrop, cut_windows, moved_corners
from imagelab.box_labels import padded
from imagelab.randomness import uniform
from tests.augment.pictures import keys

HEIGHT, WIDTH = 40, 60
BOX = [1, 10, 5, 50, 35]  # half of the image, so that every limit can be met


def windows(overlaps: list[float], boxes: list[list[float]], count: int = 2000, **changes: object):
    labels = torch.from_numpy(padded([np.array(boxes).reshape(-1, 5)] * count))
    crop = BoxCrop(overlaps, **({"scale": (0.08, 1.0), "ratio": (0.75, 1.3333)} | changes))
    return crop.windows(labels, uniform(keys(count), "crop", DRAWS), HEIGHT, WIDTH)


def test_windows_overlap_a_box_as_much_as_was_drawn_for_them():
    draws, overlaps = uniform(keys(2000), "crop", DRAWS)[:, 0], [0.1, 0.3, 0.5, 0.7, 0.9]
    found = windows(overlaps, [BOX])
    overlap = box_iou(found, torch.tensor([BOX[1:]], dtype=torch.float32))[:, 0]
    whole = (found == torch.tensor([0, 0, WIDTH, HEIGHT])).all(dim=1)
    drawn = (draws * 7).long()
    assert whole[drawn == 6].all()  # the last of seven choices
    for place, least in enumerate(overlaps, 1):
        cut = (drawn == place) & ~whole
        assert cut.sum() > (100 if least < 0.7 else 3)
        assert (overlap[cut] >= least).all()
    assert overlap[(drawn == 0) & ~whole].min() < 0.2 < 0.5 <= overlap[drawn == 3].min()
    assert whole[drawn < 4].float().mean() < 0.02  # hardly ever without a window that fits


def test_windows_have_the_area_and_the_aspect_of_their_settings_and_lie_inside():
    left, top, right, bottom = windows([], [[0, 0, 0, 60, 40]], scale=(0.1, 0.3), ratio=(0.5, 2.0)).unbind(1)
    cut = (right - left) < WIDTH
    assert cut.float().mean() == pytest.approx(0.5, abs=0.05)  # any window, or the whole image
    wide, tall = (right - left)[cut], (bottom - top)[cut]
    area = wide * tall / (WIDTH * HEIGHT)
    assert area.min() > 0.0999
    assert area.max() < 0.3001
    assert (wide / tall).min() > 0.499
    assert (wide / tall).max() < 2.001
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= WIDTH
    assert bottom.max() <= HEIGHT


def test_a_window_holds_the_centre_of_a_box_and_images_without_boxes_get_any_window():
    small = [0, 50, 30, 56, 36]
    found = windows([], [small], scale=(0.1, 0.2))
    cut = found[:, 2] - found[:, 0] < WIDTH
    left, top, right, bottom = found[cut].unbind(1)
    assert ((left < 53) & (right > 53) & (top < 33) & (bottom > 33)).all()
    empty = windows([0.9], [], scale=(0.1, 0.2))
    cut = (empty[:, 2] - empty[:, 0]) < WIDTH
    assert cut.float().mean() == pytest.approx(2 / 3, abs=0.05)
    assert empty[cut, 0].std() > 8


def test_a_limit_that_no_window_can_meet_leaves_the_image_whole():
    found = windows([0.9], [[0, 50, 30, 52, 32]], scale=(0.5, 1.0))
    cut = found[:, 2] - found[:, 0] < WIDTH
    assert cut.float().mean() == pytest.approx(1 / 3, abs=0.05)  # those without a limit


def test_a_window_is_enlarged_as_a_resize_of_its_pixels():
    images = torch.randint(0, 256, (2, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    inner = torch.tensor([[12.0, 8.0, 42.0, 28.0], [0.0, 0.0, WIDTH, HEIGHT]])
    found = cut_windows(images, inner, HEIGHT, WIDTH)
    pixels = images[:1, :, 8:28, 12:42].float()
    resized = torch.nn.functional.interpolate(pixels, (HEIGHT, WIDTH), mode="bilinear")
    assert (found[:1].float() - resized)[..., 1:-1, 1:-1].abs().max() <= 0.51  # at the rim, it sees beyond
    assert torch.equal(found[1], images[1])
    corners = torch.tensor([[[12.0, 8.0, 27.0, 18.0]]])
    assert moved_corners(corners, inner[:1], HEIGHT, WIDTH).tolist() == [[[0, 0, 30, 20]]]
