"""Pictures decoded again from a page's text: their size, their likeness, and how many bytes they take."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from imagelab.pages.picture import LADDER, Picture, gallery, thumbnail
from imagelab.pages.table import table


def decoded(html):
    """Every picture of a page as pixels, and the bytes of its text."""
    found = re.findall(r'src="data:image/webp;base64,([^"]*)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found], sum(map(len, found))


def smooth(height, width):
    """A picture with red across and green down."""
    down, across = np.mgrid[0:height, 0:width] / max(height, width) * 255
    return np.stack([across, down, np.full((height, width), 128.0)], -1).astype(np.uint8)


def test_a_thumbnail_keeps_its_shape_and_looks_like_the_picture():
    html = thumbnail(Picture(smooth(300, 600), "a"), side=96)
    ((small,), _) = decoded(html)
    assert small.shape == (48, 96, 3)
    assert 'width="96" height="48"' in html
    assert np.abs(small - smooth(48, 96).astype(float)).mean() < 6


def test_few_pixels_are_kept_as_they_are_and_shown_enlarged():
    html = thumbnail(Picture(smooth(16, 32), "a"), side=96)
    ((small,), _) = decoded(html)
    assert small.shape == (16, 32, 3)
    assert 'class="few"' in html
    assert 'width="96" height="48"' in html


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (40, 40)])
def test_odd_shapes_and_grey_ones_are_shown_too(shape):
    ((small,), _) = decoded(thumbnail(Picture(np.full(shape, 200, np.uint8), "grey")))
    assert np.abs(small.astype(float) - 200).max() < 8


def test_many_pictures_are_coarser_so_that_all_fit_into_the_budget():
    rng = np.random.default_rng(0)
    noisy = [Picture(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), "") for _ in range(40)]
    few, bytes_of_few = decoded(gallery(noisy[:4], budget=100_000))
    many, bytes_of_many = decoded(gallery(noisy, budget=100_000))
    assert bytes_of_few < 100_000
    assert bytes_of_many < 100_000
    assert few[0].shape == (96, 96, 3)
    assert len(many) == 40
    assert len({one.shape for one in many}) == 1
    assert many[0].shape[0] < 96
    least, _ = decoded(gallery(noisy, budget=1))
    assert least[0].shape[0] == round(96 * LADDER[-1][0])


def test_pictures_of_a_table_share_its_budget():
    rng = np.random.default_rng(0)
    noisy = [Picture(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), "") for _ in range(40)]
    _, size = decoded(table(["left", "right"], list(zip(noisy, noisy, strict=True)), budget=150_000))
    assert size < 150_000
