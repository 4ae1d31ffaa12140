import json
import os

import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.preprocess import Preprocess
from imagelab.data.statistics import MOST, array_statistics, photo_statistics

GEOMETRY = Preprocess(size=8, channels=3, mean=[0.0] * 3, std=[1.0] * 3, resize=10, interpolation="bilinear")


class Greys:
    """Photos of one grey each, its number; counts how many were looked at."""

    def __init__(self, count):
        self.labels, self.looked = np.zeros(count, np.int64), []

    def __len__(self):
        return len(self.labels)

    def photo(self, place, least):
        self.looked.append((place, least))
        return np.full((10, 12, 3), place % 256, np.uint8)


def test_statistics_are_those_of_all_pixels():
    pixels = torch.randint(0, 256, (5000, 3, 4, 4), dtype=torch.uint8)
    found = array_statistics(Arrays(pixels, np.zeros(5000, np.int64)))
    channels = pixels.double().permute(1, 0, 2, 3).flatten(1) / 255
    assert found.mean == pytest.approx(channels.mean(1).tolist(), abs=1e-12)
    assert found.std == pytest.approx(channels.std(1, correction=0).tolist(), abs=1e-12)


def test_a_channel_of_one_value_can_still_be_divided_by():
    found = array_statistics(Arrays(torch.full((4, 1, 2, 2), 7, dtype=torch.uint8), np.zeros(4, np.int64)))
    assert found.mean == pytest.approx([7 / 255])
    assert found.std == [1e-3]


def test_statistics_sample_photos_from_the_whole_set():
    photos = Greys(10_000)
    photo_statistics(photos, None, GEOMETRY)
    places = sorted(place for place, _ in photos.looked)
    assert len(places) == MOST
    assert (places[0], places[-1]) == (0, 9_999)
    assert max(np.diff(places)) <= 6
    assert {least for _, least in photos.looked} == {10}


def test_only_the_centre_that_the_network_sees_counts(tmp_path, write_picture):
    paths = [write_picture(tmp_path / f"{k}.png", seed=k, width=20, height=10) for k in range(5)]
    files = Files(paths, np.zeros(5, np.int64))
    found = photo_statistics(files, None, GEOMETRY)
    centres = np.stack([files.photo(k, None)[1:9, 6:14] for k in range(5)]) / 255
    assert found.mean == pytest.approx(centres.mean((0, 1, 2)).tolist())
    assert found.std == pytest.approx(centres.std((0, 1, 2)).tolist())


def test_statistics_are_cached_until_a_file_or_the_size_changes(tmp_path, own_cache):
    paths = np.array([str(tmp_path / f"{k}") for k in range(3)])
    for path in paths:
        (tmp_path / path).write_bytes(b"1")
    files = Files(paths, np.zeros(3, np.int64))
    first = Greys(3)
    found = photo_statistics(first, files, GEOMETRY)
    second = Greys(3)
    assert photo_statistics(second, files, GEOMETRY) == found
    assert (len(first.looked), len(second.looked)) == (3, 0)
    photo_statistics(second, files, Preprocess(**(GEOMETRY.to_dict() | {"resize": 9})))
    assert len(second.looked) == 3
    photo_statistics(second, files, Preprocess(**(GEOMETRY.to_dict() | {"whole": True})))
    assert len(second.looked) == 6
    os.utime(paths[1], (1, 1))
    photo_statistics(second, files, GEOMETRY)
    assert len(second.looked) == 9
    means = [json.loads(record.read_text())["mean"][0] for record in (own_cache / "statistics").iterdir()]
    assert sum(mean == 1 / 255 for mean in means) == len(means) - 1  # the other is that of padded photos
