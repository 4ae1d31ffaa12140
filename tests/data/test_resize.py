import numpy as np
import pytest

from imagelab.data.resize import covered, resized, shrunk_size


def test_shrinking_averages_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    small = resized(image, 10, 15)
    assert np.abs(small - image.reshape(10, 8, 15, 8, 3).mean(axis=(1, 3))).max() <= 0.51
    assert resized(image, 80, 120) is image


def test_enlarging_interpolates_and_has_no_steps():
    ramp = np.repeat(np.arange(0, 200, 20, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(10, axis=0)
    assert np.diff(resized(ramp, 40, 40)[0, :, 0].astype(int)).max() <= 6


@pytest.mark.parametrize("shape", [(10, 30), (30, 10), (7, 9), (64, 64)])
def test_covering_keeps_the_centre_and_fills_the_whole(shape):
    image = np.zeros((*shape, 3), np.uint8)
    image[shape[0] // 2 - 1 : shape[0] // 2 + 2, shape[1] // 2 - 1 : shape[1] // 2 + 2] = 255
    out = covered(image, 16, 16).astype(float)[:, :, 0]
    assert out.shape == (16, 16)
    rows, columns = np.arange(16), np.arange(16)
    centre = (out.sum(1) @ rows / out.sum(), out.sum(0) @ columns / out.sum())
    assert centre == pytest.approx((7.5, 7.5), abs=1.3)


def test_shrunk_sizes_keep_the_aspect_and_never_vanish():
    assert shrunk_size(1000, 10, 5) == (500, 5)
    assert shrunk_size(3000, 2, 1) == (1500, 1)
    assert shrunk_size(333, 500, 256) == (256, 384)
