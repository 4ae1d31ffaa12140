from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from imagelab.augment.apply import PhotoAugment, least_side
from imagelab.augment.flip import Flip
from imagelab.augment.resnet import ResNet
from imagelab.data.dataset import PhotoBatches
from imagelab.data.preprocess import Preprocess
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, grain, keys
from tests.fitting import built

PAPER = ResNet(shortest=256, longest=480)


def test_the_short_side_of_a_photo_is_uniform_between_256_and_480(monkeypatch: pytest.MonkeyPatch):
    lengths: Counter[int] = Counter()

    def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        lengths[min(height, width)] += 1
        return np.zeros((height, width, 3), np.uint8)

    monkeypatch.setattr("imagelab.augment.photo_scale.smoothly_resized", resized)
    change = PhotoAugment([PAPER], size=224)
    photo = np.zeros((20, 30, 3), np.uint8)
    shapes = {change(photo, key).shape for key in range(1800)}
    assert shapes == {(224, 224, 3)}
    assert sorted(lengths) == list(range(256, 481))
    expected = 1800 / 225
    chi2 = sum((count - expected) ** 2 / expected for count in lengths.values())
    assert chi2 < 224 + 5 * (2 * 224) ** 0.5


def test_the_window_of_a_photo_shows_a_224th_of_the_short_side_that_was_drawn():
    rows, columns = np.mgrid[0:480, 0:480]
    photo = np.dstack([rows * 255 / 479, columns * 255 / 479, 0 * rows]).round().astype(np.uint8)
    change = PhotoAugment([PAPER], size=224)
    spans = np.array([np.ptp(change(photo, key).astype(int), axis=(0, 1))[:2] for key in range(60)]) / 255
    assert spans.min() == pytest.approx(224 / 480, abs=0.03)
    assert spans.max() == pytest.approx(224 / 256, abs=0.03)
    assert spans[:, 0] == pytest.approx(spans[:, 1], abs=0.01)


def test_one_pixel_lines_shrink_to_their_mean_and_do_not_alias():
    lines = np.zeros((1024, 1024, 3), np.uint8)
    lines[:, ::2] = 255
    changed = [PhotoAugment([PAPER], size=224)(lines, key) for key in range(8)]
    assert np.stack(changed).astype(float).std() < 25  # every other pixel white would be 127


@pytest.mark.parametrize("shape", [(32, 32), (28, 40), (8, 8)])
def test_a_batch_equals_resizing_and_cropping_image_by_image(shape: tuple[int, int]):
    images, (height, width) = grain(60, 3, *shape), shape
    draws = uniform(keys(60), "resnet", 3).double().numpy()
    short, expected = min(shape), []
    first, last = round(256 * short / 224), round(480 * short / 224)
    for image, (length, down, right) in zip(images, draws, strict=True):
        drawn = first + int(length * (last - first + 1))
        tall, wide = round(height * drawn / short), round(width * drawn / short)
        resized = F.interpolate(image[None].double(), (tall, wide), mode="bilinear")[0]
        top, left = int(down * (tall - height + 1)), int(right * (wide - width + 1))
        expected.append(resized[:, top : top + height, left : left + width])
    assert_rounded(PAPER.batch(images, keys(60)), torch.stack(expected))


def test_every_scale_of_a_batch_is_as_likely_as_any_other():
    ramp = torch.arange(224).byte().expand(4000, 1, 1, 224).clone()
    ramp = ramp.expand(-1, -1, 2, -1)  # short side 2: from round(2.29) to round(4.29), so 2, 3 or 4
    spans = PAPER.batch(ramp, keys(4000))[:, 0, 0].int()
    lengths = (2 * 223 / (spans[:, -1] - spans[:, 0])).round().int()
    assert (torch.bincount(lengths, minlength=5) / 4000).numpy() == pytest.approx(
        np.array([0, 0, 1, 1, 1]) / 3, abs=0.03
    )


def test_lengths_follow_the_input_size():
    assert PAPER.lengths(224) == range(256, 481)
    assert PAPER.lengths(448) == range(512, 961)
    assert all(PAPER.lengths(size).start >= size for size in range(1, 600)), "there is always a window"


def test_photos_are_decoded_as_large_as_the_longest_short_side():
    asked = []

    class Photos:
        labels = np.zeros(2, np.int64)

        def photo(self, place: int, least: int) -> np.ndarray:
            asked.append(least)
            return np.zeros((50, 60, 3), np.uint8)

    plain = Preprocess(
        size=28, channels=3, mean=[0.0] * 3, std=[1.0] * 3, resize=32, interpolation="bilinear"
    )
    photos: Any = Photos()
    batches = PhotoBatches(photos, preprocess=plain, augment=PhotoAugment([Flip(p=0.5), PAPER], size=28))
    assert batches.pixels(0, key=1).shape == (28, 28, 3)
    assert asked == [60]
    assert (least_side([Flip(p=0.5), PAPER], 224), least_side([Flip(p=0.5)], 224)) == (480, 0)


def test_photos_that_are_shrunk_once_keep_enough_for_training(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IMAGELAB_CACHE", str(tmp_path))
    words = ["data=folder", f"data.root={photos}", "data.size=8", "data.storage=shrunk", "data.batch_size=8"]
    sides = []
    for augment in ("crop", "resnet"):
        splits: Any = built([*words, f"augment=[{augment}]", "trainer=cpu"], tmp_path).data.splits
        sides.append([min(splits[split].photo(0, None).shape[:2]) for split in ("train", "val")])
    assert sides == [[9, 9], [17, 9]]  # 256 and 480 of 224, of photos of 28 x 32
