from pathlib import Path

import numpy as np
import pytest
import torch

from imagelab.data.decode import decode
from imagelab.data.folder import Folder
from imagelab.inspection.held_out import held_out
from imagelab.inspection.patch_features import GRID, PATCHES, patch_features
from tests.fitting import FOLDER


def noise(count: int, side: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 200, (count, 3, side, side), dtype=np.uint8))


@pytest.mark.parametrize("side", [8, 28, 40])
def test_small_and_large_pictures_have_features_of_one_length(side: int) -> None:
    found = patch_features(noise(20, side), seed=0)
    assert found.shape == (20, 2 * PATCHES * GRID**2)
    assert np.isfinite(found).all()


def test_brightness_changes_nothing_and_the_seed_decides() -> None:
    images = noise(20, 16)
    found = patch_features(images, seed=0)
    assert patch_features(images + 50, seed=0) == pytest.approx(found, abs=1e-3)
    assert (patch_features(images, seed=0) == found).all()
    assert not np.allclose(patch_features(images, seed=1), found, atol=0.1)


def test_pictures_of_one_colour_have_finite_features() -> None:
    assert np.isfinite(patch_features(torch.full((5, 1, 8, 8), 255, dtype=torch.uint8), seed=0)).all()


@pytest.mark.data
@pytest.mark.slow
def test_features_separate_classes_better_than_pixels(cifar10: Path) -> None:
    files = Folder(root=str(cifar10), **FOLDER).splits["train"]
    places = np.random.default_rng(0).permutation(len(files))[:600]
    pixels = np.stack([decode(str(files.paths[place])) for place in places]).transpose(0, 3, 1, 2)
    labels = files.labels[places]

    def right(features: np.ndarray) -> float:
        found = held_out(features, labels, classes=10, groups=None, seed=0)
        return float((found.probabilities.argmax(axis=1) == labels).mean())

    plain = right(pixels[:, :, ::4, ::4].reshape(600, -1).astype(np.float32))
    assert right(patch_features(torch.from_numpy(pixels), seed=0)) > plain + 0.08
