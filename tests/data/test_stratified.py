import numpy as np
import pytest

from imagelab.data.ranks import fold_numbers, part_of
from imagelab.data.stratified import dealt

RNG = np.random.default_rng(0)
TAGS = RNG.random((1003, 6)) < [0.6, 0.3, 0.1, 0.03, 0.02, 0.01]
CONTENTS = np.arange(1003, dtype=np.uint64)


@pytest.mark.parametrize("parts", [2, 5, 10])
def test_parts_have_equal_sizes_and_equal_shares_of_each_class(parts):
    found = dealt(TAGS, parts)
    assert np.ptp(np.bincount(found, minlength=parts)) <= 1
    counts = np.array([TAGS[found == part].sum(axis=0) for part in range(parts)])
    assert np.ptp(counts, axis=0).max() <= 2
    by_chance = RNG.permutation(np.arange(len(TAGS)) % parts)
    chance = np.array([TAGS[by_chance == part].sum(axis=0) for part in range(parts)])
    assert np.ptp(counts, axis=0).sum() < np.ptp(chance, axis=0).sum() / 4


def test_images_without_classes_and_without_any_fill_the_parts():
    assert sorted(dealt(np.zeros((7, 3), dtype=bool), 3).tolist()) == [0, 0, 0, 1, 1, 2, 2]
    assert dealt(np.zeros((0, 3), dtype=bool), 3).tolist() == []


def test_folds_and_held_out_images_are_stratified_by_every_class_and_copies_stay_together():
    folds = fold_numbers(TAGS, CONTENTS, 5)
    held = part_of(TAGS, CONTENTS, 0.2, "test")
    for part in (TAGS[folds == 0], TAGS[held]):
        np.testing.assert_allclose(part.mean(axis=0), TAGS.mean(axis=0), atol=4 / 200)
    twice = part_of(np.concatenate([TAGS, TAGS]), np.concatenate([CONTENTS, CONTENTS]), 0.2, "test")
    assert (twice[:1003] == twice[1003:]).all()
