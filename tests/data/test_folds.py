"""Folds: each image of train and val is held out once, the test split is what it was."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from imagelab.box_labels import there  # room: detection
from imagelab.data.arrays import Arrays
from imagelab.data.digits import Digits
from imagelab.data.folder import Folder
from imagelab.data.image_data import ImageData
from imagelab.data.scenes import Scenes  # room: detection
from imagelab.data.splits import prepare_splits
from imagelab.problem import Problem
from tests.fitting import FOLDER, IMAGE_DATA

NAMES = ["ant", "bee", "cat"]
HOW: dict[str, Any] = {
    "classes": None,
    "limit": None,
    "train_limit": None,
    "decisions": None,
    "val_fraction": 0.1,
    "test_fraction": 0.2,
}


def images(*counts, first=0, side=1):
    """So many images of each class; every image has a value of its own."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    values = torch.arange(first, first + len(labels))
    pixels = torch.stack([values // 256, values % 256], 1).to(torch.uint8)[:, :, None, None]
    return Arrays(pixels.expand(-1, -1, side, side), labels.astype(np.int64))


def images_of(part: Any) -> torch.Tensor:
    return part.images.images


def parts(splits, folds, fold, **changes):
    """The names and labels of the images in each split, as (name, label)."""
    source: Any = SimpleNamespace(classes=NAMES, splits=splits)
    found = prepare_splits(source, folds=folds, fold=fold, **HOW | changes).named
    return {split: list(zip(part.names, part.labels.tolist(), strict=True)) for split, part in found.items()}


def all_parts(splits, folds, **changes):
    return [parts(splits, folds, fold, **changes) for fold in range(folds)]


def every(splits, *names):
    return sorted(f"{name}/{place}" for name in names for place in range(len(splits[name])))


@pytest.mark.parametrize("with_val", [False, True], ids=["train and test", "train, val and test"])
def test_each_image_of_train_and_val_is_held_out_exactly_once(with_val):
    splits = {"train": images(50, 31, 20), "test": images(5, 5, 5, first=500)}
    splits |= {"val": images(9, 9, 4, first=200)} if with_val else {}
    folds = all_parts(splits, 5)
    pool = every(splits, "train", *["val"] * with_val)
    assert sorted(name for fold in folds for name, _ in fold["val"]) == pool
    for fold in folds:
        assert sorted(name for split in ("train", "val") for name, _ in fold[split]) == pool
        assert [name for name, _ in fold["test"]] == [f"test/{i}" for i in range(15)]


def test_what_is_joined_keeps_its_pixels_and_its_names():
    splits = {"train": images(20, 10, 10), "val": images(5, 5, 5, first=300)}
    source: Any = SimpleNamespace(classes=NAMES, splits=splits)
    for fold in range(3):
        for part in prepare_splits(source, folds=3, fold=fold, **HOW).named.values():
            values = images_of(part).flatten(1).to(torch.int64) @ torch.tensor([256, 1])
            found = [f"train/{v}" if v < 300 else f"val/{v - 300}" for v in values.tolist()]
            assert part.names == found


def test_the_test_split_is_that_of_runs_without_folds():
    splits = {"train": images(50, 30, 20)}
    without = parts(splits, None, None)
    assert all(fold["test"] == without["test"] for fold in all_parts(splits, 4))


def test_a_limit_applies_to_all_folds_together():
    splits = {"train": images(500, 300, 200), "test": images(50, 30, 20)}
    folds = all_parts(splits, 5, limit=100)
    assert [len(fold["val"]) for fold in folds] == [20] * 5
    assert len({name for fold in folds for name, _ in fold["val"]}) == 100
    for fold in folds:
        assert np.abs(np.bincount([label for _, label in fold["val"]]) - [10, 6, 4]).max() <= 1
        assert not {name for name, _ in fold["val"]} & {name for name, _ in fold["train"]}


def test_a_decision_on_one_image_leaves_the_others_in_their_folds(tmp_path):
    splits = {"train": images(50, 30, 20)}
    before = all_parts(splits, 5)
    dropped, other = before[0]["val"][0][0], next(name for name, label in before[1]["val"] if label == 0)
    (tmp_path / "decisions.csv").write_text(f"file,decision,label\n{dropped},drop,\n{other},relabel,cat\n")
    after = all_parts(splits, 5, decisions=str(tmp_path / "decisions.csv"))
    for old, new in zip(before, after, strict=True):
        assert [name for name, _ in new["val"]] == [name for name, _ in old["val"] if name != dropped]
    assert (other, 2) in after[1]["val"]


def test_chosen_classes_stay_in_their_folds():
    splits = {"train": images(50, 30, 20)}
    for old, new in zip(all_parts(splits, 5), all_parts(splits, 5, classes=["cat", "ant"]), strict=True):
        assert new["val"] == [(name, {0: 1, 2: 0}[label]) for name, label in old["val"] if label != 1]


def test_the_seed_of_a_run_changes_no_fold_and_the_constants_are_those_of_the_other_folds():
    means = []
    for fold in range(3):
        first, second = (
            ImageData(source=Digits(), augment=[], **IMAGE_DATA | {"seed": seed, "folds": 3, "fold": fold})
            for seed in (0, 1)
        )
        assert first.named["val"].names == second.named["val"].names
        pixels = images_of(first.named["train"]).double() / 255
        assert first.preprocess.mean == pytest.approx([pixels.mean().item()], abs=1e-9)
        assert first.preprocess.std == pytest.approx([pixels.std(correction=0).item()], abs=1e-9)
        means += first.preprocess.mean
    assert len(set(means)) == 3


def test_photos_keep_their_files_and_get_the_constants_of_the_other_folds(photos):
    means, held = [], []
    for fold in range(4):
        source: Any = Folder(root=str(photos), **FOLDER)
        knobs = IMAGE_DATA | {"folds": 4, "fold": fold, "storage": "files", "size": 16}
        data = ImageData(source=source, augment=[], **knobs)
        held += data.named["val"].names
        train: Any = data.splits["train"]
        centres = np.stack(
            [data.preprocess.centre(train.photo(i, None)) for i in range(data.counts["train"])]
        )
        assert data.preprocess.mean == pytest.approx((centres / 255).mean((0, 1, 2)).tolist(), abs=2e-3)
        means.append(tuple(data.preprocess.mean))
    assert len(held) == len(set(held)) == 102  # of 128, 26 for testing
    assert all((photos / name).is_file() for name in held)
    assert len(set(means)) == 4


def test_images_of_different_sizes_in_memory_cannot_be_one_pool():
    splits = {"train": images(20, 10, 10), "val": images(5, 5, 5, side=2)}
    with pytest.raises(Problem, match=r"data\.folds: .* train and val cannot be merged \(Arrays.*one split"):
        parts(splits, 3, 0)


def test_a_class_of_one_image_is_missing_from_training_in_the_fold_that_holds_it_out():
    with pytest.raises(Problem, match=r"no training images of cat .there are some in test and val"):
        all_parts({"train": images(30, 20, 1), "test": images(3, 3, 3)}, 5)


def boxes_in(*parts: Any) -> list[list[float]]:  # room: detection
    return sorted(box for part in parts for box in part.labels[there(part.labels)].tolist())


def test_images_with_boxes_keep_them_even_if_one_part_has_more_per_image():  # room: detection
    scenes = Scenes(count=16, side=64, most=8, seed=0)
    train, val = scenes.splits["train"], scenes.splits["val"]
    assert train.labels.shape[1] != val.labels.shape[1]
    for fold in range(2):
        found = prepare_splits(scenes, folds=2, fold=fold, **HOW).named
        assert boxes_in(found["train"], found["val"]) == boxes_in(train, val)
        assert len(found["val"]) == 10  # of 20
