"""Prepare images for the regimes in claims.yaml: digits with wrong labels, rare classes or noise; photos."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

WRONG = 0.4  # share of the labels of train and val that are wrong in `noisy`
CLASSES = 10
NOISY_TRAIN, NOISY_VAL = 20, 15  # images per class
COMMON, RARE, FEW_VAL = 40, 4, 10  # images per class of train in `unequal`; of common classes in val
NOISE = 80  # standard deviation of the noise in `transfer`, in grey levels of 255
FEW, FEW_NOISY_VAL = 3, 10  # images per class of train and val in `transfer`
PHOTOS = ("airplane", "automobile", "frog", "horse")
PHOTO_COUNTS = {"train": 50, "val": 50, "test": 500}  # images per class
Rows = list[tuple[str, str, str]]  # file, label, split


def prepare(kept: Path, data: Path | None) -> None:
    """Write the images and lists that are not there yet.

    Args:
        kept: Folder for digits and lists.
        data: Folder of CIFAR-10 with train/<class>/ and test/<class>/; None: no photos.
    """
    kept.mkdir(parents=True, exist_ok=True)
    if not (kept / "unequal.csv").is_file():
        labels = write_digits(kept / "digits")
        write(kept / "noisy.csv", noisy(labels))
        write(kept / "unequal.csv", unequal(labels))
    if not (kept / "transfer.csv").is_file():
        labels = write_digits(kept / "in_noise", NOISE)
        write(kept / "source.csv", source(labels))
        write(kept / "transfer.csv", transfer(labels))
    if data is not None and not (kept / "photos.csv").is_file():
        write(kept / "photos.csv", photos(data))


def write_digits(folder: Path, noise: float = 0.0) -> np.ndarray:
    """Write scikit-learn's digits as NNNN.png, with noise of this deviation; their labels (1797,)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    folder.mkdir(exist_ok=True)
    drawn = np.random.default_rng(0).normal(0, noise, images.shape)
    grey = np.round(images * (255 / 16) + drawn).clip(0, 255).astype(np.uint8)
    for number, pixels in enumerate(grey.reshape(-1, 8, 8)):
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
    return labels


def noisy(labels: np.ndarray) -> Rows:
    """Some digits of each class, of which many have another label, but for those of test: half of all."""
    rng = np.random.default_rng(0)
    rows = []
    for label in range(CLASSES):
        train, val, test = _parts(labels, label, NOISY_TRAIN, NOISY_VAL)
        for split, numbers in (("train", train), ("val", val)):
            wrong = rng.random(len(numbers)) < WRONG
            others = (label + rng.integers(1, CLASSES, len(numbers))) % CLASSES
            rows += [
                (n, other if is_wrong else label, split)
                for n, other, is_wrong in zip(numbers, others, wrong, strict=True)
            ]
        rows += [(n, label, "test") for n in test]
    return _written(rows)


def unequal(labels: np.ndarray) -> Rows:
    """Ten times as many digits of the first five classes as of the others in train and val."""
    rows = []
    for label in range(CLASSES):
        common = label < CLASSES // 2
        train, val, test = _parts(labels, label, COMMON, FEW_VAL)
        train, val = (train, val) if common else (train[:RARE], val[:1])
        for split, numbers in (("train", train), ("val", val), ("test", test)):
            rows += [(n, label, split) for n in numbers]
    return _written(rows)


def source(labels: np.ndarray) -> Rows:
    """The digits of the first half that `transfer` leaves over, to learn features from."""
    rows = []
    for label in range(CLASSES):
        *_, rest, test = _parts(labels, label, FEW + FEW_NOISY_VAL, len(labels))
        rows += [
            (n, label, "val" if place % 5 == 0 else "train") for place, n in enumerate(rest) if n < test[0]
        ]
    return _written(rows)


def transfer(labels: np.ndarray) -> Rows:
    """A few digits per class; half of all are those of test."""
    rows = []
    for label in range(CLASSES):
        for split, numbers in zip(
            ("train", "val", "test"), _parts(labels, label, FEW, FEW_NOISY_VAL), strict=True
        ):
            rows += [(n, label, split) for n in numbers]
    return _written(rows)


def photos(data: Path) -> Rows:
    """Few photos of CIFAR-10 in four classes, listed by their paths below `data`."""
    rows = []
    for name in PHOTOS:
        train = sorted((data / "train" / name).iterdir())
        test = sorted((data / "test" / name).iterdir())
        ends = PHOTO_COUNTS["train"], PHOTO_COUNTS["train"] + PHOTO_COUNTS["val"]
        parts = {"train": train[: ends[0]], "val": train[ends[0] : ends[1]], "test": test}
        for split, paths in parts.items():
            found = paths[: PHOTO_COUNTS[split]]
            rows += [(path.relative_to(data).as_posix(), name, split) for path in found]
    return rows


def write(file: Path, rows: Rows) -> None:
    """Write a list of images for data.manifest."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "label", "split"))
        writer.writerows(rows)


def _parts(labels: np.ndarray, label: int, train: int, val: int) -> list[np.ndarray]:
    """Numbers of the images of a class: of train, of val, and the later half, of test."""
    numbers = np.flatnonzero(labels == label)
    half = len(numbers) // 2
    return [numbers[:train], numbers[train : train + val], numbers[half:]]


def _written(rows: list) -> Rows:
    return [(f"{number:04}.png", str(label), split) for number, label, split in rows]
