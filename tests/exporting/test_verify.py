# room: exporting
"""An exported file is compared one image at a time and in a batch, on images from all over the split."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.exporting import verify


@pytest.mark.parametrize("wrong", [1, 3])
def test_a_file_that_is_wrong_for_one_image_or_for_a_batch_is_noticed(monkeypatch, wrong):
    right: Any = SimpleNamespace(
        task=None, preprocess=SimpleNamespace(signals=[]), images=lambda batch, _: np.zeros((len(batch), 2))
    )
    off = SimpleNamespace(images=lambda batch, _: np.full((len(batch), 2), 0.25 * (len(batch) == wrong)))
    monkeypatch.setattr(verify, "load_exported", lambda path: off)
    pictures = [np.zeros((4, 4, 3), np.uint8)] * 3
    assert verify.difference(Path("model.onnx"), right, pictures) == 0.25


def test_pictures_come_from_all_over_the_split():
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None]
    chosen = verify._chosen(Arrays(pixels, np.arange(10)), 4)
    assert [int(picture[0, 0, 0]) for picture in chosen] == [0, 3, 6, 9]
