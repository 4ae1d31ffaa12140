import numpy as np

from imagelab.data.digits import Digits


def test_the_digits_are_all_there_with_their_16_greys_spread_over_the_bytes():
    source = Digits()
    images = source.splits["train"]
    assert source.classes == list("0123456789")
    assert tuple(images.images.shape) == (1797, 1, 8, 8)
    assert images.images.unique().tolist() == np.round(np.arange(17) * 255 / 16).astype(int).tolist()
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_a_zero_is_dark_inside_and_a_one_is_not():
    images = Digits().splits["train"]
    middle = images.images[:, 0, 3:5, 3:5].float().mean((1, 2)).numpy()
    assert middle[images.labels == 0].mean() < 30
    assert middle[images.labels == 1].mean() > 180
