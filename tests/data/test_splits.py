from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.splits import prepare_splits
from imagelab.problem import Problem

NAMES = ["ant", "bee", "cat"]


def images(*counts, first=0):
    """So many images of each class; every image has a value of its own."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    values = torch.arange(first, first + len(labels))
    pixels = torch.stack([values // 256, values % 256], 1).to(torch.uint8)[:, None, None, :]
    return Arrays(pixels, labels.astype(np.int64))


def prepare(splits, names=NAMES, **changes):
    settings = {
        "classes": None,
        "limit": None,
        "train_limit": None,
        "decisions": None,
        "folds": None,
        "fold": None,
    }
    settings |= {"val_fraction": 0.1, "test_fraction": 0.2}
    dealt = prepare_splits(SimpleNamespace(classes=names, splits=splits), **(settings | changes))
    return dealt.classes, dealt.splits


def identities(part):
    return {tuple(value) for value in part.images.flatten(1).tolist()}


def shares(part):
    return np.bincount(part.labels, minlength=3)


def test_one_split_becomes_three_that_share_no_image():
    whole = images(500, 300, 200)
    _, splits = prepare({"train": whole})
    assert {name: len(part) for name, part in splits.items()} == {"train": 720, "val": 80, "test": 200}
    parts = [identities(part) for part in splits.values()]
    assert set.union(*parts) == identities(whole)
    assert sum(len(part) for part in parts) == 1000


def test_every_split_is_stratified():
    _, splits = prepare({"train": images(500, 300, 200)})
    for name, expected in [("test", [100, 60, 40]), ("val", [40, 24, 16]), ("train", [360, 216, 144])]:
        assert np.abs(shares(splits[name]) - expected).max() <= 1, name


def test_what_is_held_out_is_the_same_each_time():
    first, second = (prepare({"train": images(50, 30, 20)})[1] for _ in range(2))
    for name in first:
        assert torch.equal(first[name].images, second[name].images)


def test_splits_that_a_source_has_stay_as_they_are():
    train, val, test = images(50, 30, 20), images(5, 5, 5, first=100), images(4, 4, 4, first=200)
    _, carved = prepare({"train": train, "test": test})
    assert identities(carved["test"]) == identities(test)
    assert (len(carved["train"]), len(carved["val"])) == (90, 10)
    _, kept = prepare({"train": train, "val": val})
    assert set(kept) == {"train", "val"}, (
        "no test split is carved from images meant for training and validation"
    )
    assert len(kept["train"]) == 100


def test_limit_keeps_the_shares_and_a_larger_limit_adds_to_it():
    source = {"train": images(500, 300, 200)}
    small, large = (prepare(source, limit=limit)[1] for limit in (50, 100))
    assert {name: len(part) for name, part in small.items()} == {"train": 50, "val": 50, "test": 50}
    assert shares(small["train"]).tolist() == [25, 15, 10]
    assert len(large["val"]) == 80, "a split has no more images than it has"
    for name in small:
        assert identities(small[name]) <= identities(large[name])


def test_limit_keeps_rare_classes():
    _, splits = prepare({"train": images(960, 30, 10)}, limit=6)
    assert shares(splits["train"]).min() >= 1


def test_chosen_classes_are_numbered_in_the_order_of_the_choice():
    whole = images(50, 30, 20)
    names, splits = prepare({"train": whole}, classes=["cat", "ant"])
    assert names == ["cat", "ant"]
    assert sum(shares(part) for part in splits.values()).tolist() == [20, 50, 0]
    _, everything = prepare({"train": whole})
    assert identities(splits["test"]) <= identities(everything["test"]), (
        "the choice moves no image between splits"
    )


def test_classes_that_are_called_by_numbers_can_be_chosen():
    names, splits = prepare({"train": images(50, 30, 20)}, names=["0", "1", "2"], classes=[2, 0])
    assert names == ["2", "0"]
    assert sum(shares(part) for part in splits.values()).tolist() == [20, 50, 0]


def test_copies_of_a_single_image_are_refused_as_such():
    copies = Arrays(torch.zeros(9, 1, 2, 2, dtype=torch.uint8), np.arange(9) % 3)
    with pytest.raises(Problem, match="all 9 images are copies of one"):
        prepare({"train": copies})


@pytest.mark.parametrize(
    ("splits", "changes", "told"),
    [
        (
            {"train": (50, 30, 20)},
            {"classes": ["ant", "bea"]},
            r"no class 'bea'.*did you mean 'bee'\?",
        ),
        ({"train": (50, 30, 20)}, {"classes": ["ant", "ant"]}, "'ant' is named 2 times"),
        (
            {"train": (50, 30, 20)},
            {"limit": 2},
            "data.limit: 2 images cannot cover all 3 classes; set 3 or more",
        ),
        ({"train": (50, 30), "test": (5, 5, 5)}, {}, r"no training images of cat \(there are some in test\)"),
        (
            {"train": (500, 300, 2)},
            {"val_fraction": 0.9, "test_fraction": 0.9},
            r"data.test_fraction and data.val_fraction: 794 of 802 images .* all of cat; set smaller",
        ),
        (
            {"train": (5, 3, 2)},
            {"val_fraction": 0.9, "test_fraction": 0.9},
            r"10 of 10 images are held out and none is left to train on; set smaller ones, such as 0.1",
        ),
        ({"train": (50, 30)}, {}, "no training images of cat; add some"),
        ({"train": (50, 30, 20), "val": ()}, {}, "the val split has no images"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(splits, changes, told):
    with pytest.raises(Problem, match=told):
        prepare({name: images(*counts) for name, counts in splits.items()}, **changes)


def test_a_limit_of_the_training_images_leaves_the_others_whole_and_larger_ones_only_add_images():
    whole = prepare({"train": images(500, 300, 200)})[1]
    cut = [prepare({"train": images(500, 300, 200)}, train_limit=limit)[1] for limit in (0.25, 0.5, 600)]
    for found in cut:
        assert all(identities(found[split]) == identities(whole[split]) for split in ("val", "test"))
    sizes = [len(found["train"]) for found in cut]
    assert sizes == [180, 360, 600]
    assert identities(cut[0]["train"]) < identities(cut[1]["train"]) < identities(cut[2]["train"])
    assert shares(cut[0]["train"]).tolist() == [90, 54, 36]
