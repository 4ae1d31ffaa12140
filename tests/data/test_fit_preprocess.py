import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.fit_preprocess import fit_preprocess
from imagelab.data.preprocess import Preprocess

OF_WEIGHTS = Preprocess(
    size=224,
    channels=3,
    mean=[0.485, 0.456, 0.406],
    std=[0.229, 0.224, 0.225],
    resize=232,
    interpolation="bicubic",
)


def arrays(channels=1):
    pixels = torch.full((6, channels, 8, 10), 51, dtype=torch.uint8)
    return Arrays(pixels, np.zeros(6, np.int64))


@pytest.fixture
def files(tmp_path, write_picture, own_cache):
    return Files([write_picture(tmp_path / f"{k}.png", seed=k) for k in range(4)], np.zeros(4, np.int64))


def test_images_in_memory_keep_their_size_and_give_the_constants():
    found = fit_preprocess(None, None, arrays(), arrays())
    assert (found.size, found.resize, found.channels) == (8, 8, 1)
    assert found.mean == pytest.approx([0.2])


def test_a_given_size_takes_precedence():
    assert fit_preprocess(None, 64, arrays(), arrays()).size == 64
    assert fit_preprocess(OF_WEIGHTS, 64, arrays(3), arrays(3)).resize == 64


def test_weights_bring_their_constants_but_not_their_size_to_images_in_memory():
    found = fit_preprocess(OF_WEIGHTS, None, arrays(), arrays())
    assert (found.size, found.channels, found.mean) == (8, 3, OF_WEIGHTS.mean)


def test_photos_are_cropped_as_the_weights_expect(files):
    assert fit_preprocess(OF_WEIGHTS, None, files, files) is OF_WEIGHTS
    other = fit_preprocess(OF_WEIGHTS, 112, files, files)
    assert (other.size, other.resize, other.std) == (112, 116, OF_WEIGHTS.std)


def test_photos_without_weights_are_224_pixels_and_give_the_constants(files):
    found = fit_preprocess(None, None, files, files)
    assert (found.size, found.resize, found.channels) == (224, 256, 3)
    assert found.mean == pytest.approx([0.5] * 3, abs=0.05)
    assert all(0.1 < std < 0.4 for std in found.std)


def test_fitting_again_changes_nothing(files):
    for images in (arrays(), files):
        once = fit_preprocess(None, 16, images, images)
        assert fit_preprocess(once, 16, images, images) == once


def test_images_of_an_unknown_type_are_refused():
    class Strange:
        labels = np.zeros(1)

        def __len__(self):
            return 1

    with pytest.raises(TypeError, match="got Strange"):
        fit_preprocess(None, None, Strange(), Strange())
