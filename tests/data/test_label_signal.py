from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from imagelab.data.decode import decode
from imagelab.data.folder import Folder
from imagelab.data.label_signal import label_signal, signal_finding
from imagelab.data.resize import resized
from tests.fitting import FOLDER

SHUFFLES = range(20)


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    pixels = np.round(images * (255 / 16)).astype(np.uint8)
    return pixels.reshape(-1, 8, 8, 1)[:count], labels[:count]


def pictures(root: Path, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    files = Folder(root=str(root), **FOLDER).splits["train"]
    places = np.random.default_rng(0).permutation(len(files))[:count]
    shown = [resized(decode(str(files.paths[place]), side), side, side) for place in places]
    return np.stack(shown), files.labels[places]


def shuffled(images: np.ndarray, labels: np.ndarray) -> list[float]:
    orders = (np.random.default_rng(seed).permutation(len(labels)) for seed in SHUFFLES)
    return [label_signal(images, labels[order], seed=0) for order in orders]


def test_true_labels_of_digits_follow_their_images_and_shuffled_ones_do_not() -> None:
    images, labels = digits(300)
    assert label_signal(images, labels, seed=0) > 50
    assert max(shuffled(images, labels)) < 3


def test_half_of_the_labels_redrawn_still_give_a_signal() -> None:
    images, labels = digits(500)
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(500) < 0.5, rng.integers(0, 10, 500), labels)
    assert 4 < label_signal(images, noisy, seed=0) < label_signal(images, labels, seed=0)


@pytest.mark.data
def test_photos_of_ants_and_bees_have_a_signal(hymenoptera: Path) -> None:
    images, labels = pictures(hymenoptera, 244, 64)
    assert label_signal(images, labels, seed=0) > 5
    assert max(shuffled(images, labels)) < 3


@pytest.mark.data
@pytest.mark.slow
def test_two_hundred_pictures_of_cifar_10_have_a_signal(cifar10: Path) -> None:
    images, labels = pictures(cifar10, 200, 32)
    assert label_signal(images, labels, seed=0) > 6
    assert max(shuffled(images, labels)) < 3


def test_the_layout_of_the_images_changes_nothing_and_a_seed_is_reproducible() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 9, 12, 3), dtype=np.uint8)
    labels = (images[..., 0].mean(axis=(1, 2)) > 127).astype(int)
    channels_first = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    assert label_signal(images, labels, seed=3) == label_signal(channels_first, labels, seed=3)


def test_features_work_too_and_large_sets_are_sampled() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 5000) * 7  # labels need not be counted from 0
    features = np.eye(3, dtype=np.float32)[labels // 7] + rng.normal(0, 0.5, (5000, 3)).astype(np.float32)
    assert label_signal(features, labels, seed=0) > 50


def test_one_class_or_two_images_have_no_signal() -> None:
    images, labels = digits(50)
    assert label_signal(images, np.zeros(50, int), seed=0) == 0
    assert label_signal(images[:2], labels[:2], seed=0) == 0


@pytest.mark.parametrize(
    ("z", "count", "status"),
    [(4.1, 300, "OK"), (3.5, 300, "WARN"), (2.9, 300, "FAIL"), (2.9, 99, "WARN"), (4.1, 99, "OK")],
)
def test_the_status_follows_from_z_and_the_number_of_images(z: float, count: int, status: str) -> None:
    finding = signal_finding(z, count)
    assert finding.status == status
    assert bool(finding.fix) == (status != "OK")
