"""Folders of small pictures for the tests of what reads them."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def write_picture():
    """Writes noise that `seed` determines; returns the path."""

    def write(path, seed=0, width=12, height=10):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def write_classes(write_picture):
    """Writes `count` pictures for each class; returns the folder."""

    def write(folder, count, *names):
        for place, name in enumerate(names):
            for k in range(count):
                write_picture(folder / name / f"{k}.png", seed=100 * place + k)
        return folder

    return write


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    """An empty cache folder for this test alone."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("IMAGELAB_CACHE", str(folder))
    return folder
