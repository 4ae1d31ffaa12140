"""The first training images are shown as the network sees them, once."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.logger.pictures import LEGIBLE, AugmentedPictures, grid, legible


@pytest.fixture
def pictures(preprocess, captions, tmp_path):
    return AugmentedPictures(preprocess=preprocess, captions=captions, folder=tmp_path)


def trainer(epoch=0, rank_zero=True):
    return SimpleNamespace(current_epoch=epoch, is_global_zero=rank_zero, loggers=[])


def test_the_png_has_the_pixels_before_normalisation(pictures, batch, pixels, tmp_path):
    pictures.on_train_batch_end(trainer(), None, None, batch, 0)
    shown = np.asarray(Image.open(tmp_path / "images" / "augmented.png"))
    side = LEGIBLE + 2
    assert shown.shape == (2 * side, 2 * side, 3)
    middles = shown[side // 2 :: side, side // 2 :: side]
    assert middles[..., 0].ravel().tolist() == pixels[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(("epoch", "index", "rank_zero"), [(0, 1, True), (1, 0, True), (0, 0, False)])
def test_only_the_first_batch_of_the_first_rank_is_shown(pictures, batch, tmp_path, epoch, index, rank_zero):
    pictures.on_train_batch_end(trainer(epoch, rank_zero), None, None, batch, index)
    assert not (tmp_path / "images").exists()


def test_captions_show_the_shares_of_mixed_images(captions, batch):
    assert captions(batch.targets) == ["ant", "0.75 bee + 0.25 ant", "bee", "ant"]
    assert captions(batch.labels) == ["ant", "bee", "bee", "ant"]


def test_small_images_are_enlarged_without_blur_and_photos_left_alone():
    small = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert np.array_equal(legible(small)[:, ::3, ::3], small.permute(0, 2, 3, 1).numpy())
    photo = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    assert legible(photo).shape == (1, 224, 224, 3)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_a_grid_holds_every_picture_in_reading_order(count):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3)
    shown = grid(images)
    assert shown[3::6, 3::6, 0].ravel().tolist()[:count] == list(range(count))
