"""A patient, a film or a product stays on one side, and the sides have the shares that groups permit."""

from pathlib import Path

import numpy as np
import pytest

from imagelab.config.compose import compose
from imagelab.data.groups import folds_of_groups, groups_by_pattern, groups_of, part_of_groups, stay_together
from imagelab.data.manifest import Table
from imagelab.data.paths import paths_of
from imagelab.problem import Problem


def groups(count, largest, seed=0):
    """Labels of two classes, and the number of each image's group; a group holds images of both."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(count), rng.integers(1, largest + 1, count))
    labels = (rng.random(len(group)) < rng.random(count)[group]).astype(np.int64)
    return labels, rng.permutation(10**5)[:count].astype(np.uint64)[group]


def whole(groups, parts):
    return len(np.unique(np.stack([groups, parts.astype(np.uint64)]), axis=1).T) == len(np.unique(groups))


@pytest.mark.parametrize(("count", "largest", "off"), [(300, 12, 0.02), (40, 12, 0.05), (10, 40, 0.15)])
def test_whole_groups_are_held_out_and_classes_keep_their_shares(count, largest, off):
    labels, group = groups(count, largest)
    held_out = part_of_groups(labels, group, 0.2, "test")
    assert whole(group, held_out)
    assert np.bincount(labels[held_out]) / np.bincount(labels) == pytest.approx([0.2, 0.2], abs=off)


def test_a_group_that_is_too_large_is_not_held_out():
    group = np.repeat(np.arange(1, 9), [60, *[5] * 7]).astype(np.uint64)
    for purpose in ("test", "val", "fold", "a", "b"):
        assert part_of_groups(np.zeros(95, int), group, 0.2, purpose).sum() == pytest.approx(19, abs=3)


def test_something_is_held_out_even_of_two_groups():
    group = np.repeat([1, 2], [70, 30]).astype(np.uint64)
    assert part_of_groups(np.zeros(100, int), group, 0.05, "test").sum() == 30


def test_folds_hold_whole_groups_of_both_classes_alike():
    labels, group = groups(100, 12)
    folds = folds_of_groups(labels, group, 5)
    assert whole(group, folds)
    for label in (0, 1):
        sizes = np.bincount(folds[labels == label], minlength=5)
        assert sizes == pytest.approx(np.full(5, sizes.mean()), abs=2)


def test_each_of_several_classes_keeps_its_share():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(200), 5).astype(np.uint64)
    tags = rng.random((1000, 3)) < np.array([0.5, 0.1, 0]) * rng.random((200, 1))[group] * 2
    held_out = part_of_groups(tags, group, 0.2, "test")
    assert whole(group, held_out)
    assert held_out.mean() == pytest.approx(0.2, abs=0.02)
    assert tags[held_out, :2].sum(axis=0) / tags[:, :2].sum(axis=0) == pytest.approx([0.2, 0.2], abs=0.03)
    sizes = np.bincount(folds_of_groups(tags, group, 5)[tags[:, 1]], minlength=5)
    assert sizes == pytest.approx(np.full(5, sizes.mean()), abs=3)


def test_too_few_groups_are_refused():
    group = np.array([1, 1, 2], np.uint64)
    with pytest.raises(Problem, match=r"data\.group: 2 groups cannot be dealt to 3 parts, of 3 images"):
        folds_of_groups(np.zeros(3, int), group, 3)
    with pytest.raises(Problem, match=r"data\.group: 1 groups cannot be dealt to 2 parts"):
        part_of_groups(np.zeros(2, int), group[:2], 0.2, "val")


def test_more_groups_move_few_others():
    labels, group = groups(100, 12)
    begun = part_of_groups(labels, group, 0.2, "test")
    more = np.concatenate([group, np.arange(10**6, 10**6 + 10, dtype=np.uint64)])
    now = part_of_groups(np.append(labels, np.arange(10) % 2), more, 0.2, "test")[: len(group)]
    assert len(np.unique(group[begun != now])) <= 5  # of 100


def test_groups_with_copies_of_one_file_are_one():
    contents = np.array([1, 2, 2, 3, 0, 0], np.uint64)
    found = stay_together(["ann", "ann", "ben", "ben", "cid", "dan"], contents)
    assert len(set(found[:4].tolist())) == 1
    assert len(set(found.tolist())) == 3, "files that cannot be read are no copies"


def test_a_pattern_names_the_group_of_each_file():
    names = ["cat/p1/a.jpg", "dog/p1/b.jpg", "dog/p23/c.jpg"]
    assert groups_by_pattern(names, r"/(p\d+)/") == ["p1", "p1", "p23"]
    paths = paths_of([f"/x/{name}" for name in names])
    assert groups_of("/(p1|p2)", paths, Path("/x"), None) == ["p1", "p1", "p2"]


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("(p1", "is not a regular expression: missing \\)"),
        ("(p)(1)", "wants one pair of parentheses, got 2"),
        ("/(p1)/", "finds no group in 1 of 2 files: dog/p2/b.jpg"),
        ("patient", "has no table with columns; set data.manifest, or a pattern .* has parentheses"),
        ("/(p9)?", "finds no group in 2 of 2 files"),
    ],
)
def test_a_group_that_no_file_has_is_refused(group, said):
    paths = paths_of(["/x/cat/p1/a.jpg", "/x/dog/p2/b.jpg"])
    with pytest.raises(Problem, match=said):
        groups_of(group, paths, Path("/x"), None)


@pytest.mark.parametrize(
    ("table", "group", "said"),
    [
        ("film\na.png,1\n", "flim", r"columns file,flim.*mean 'film'.*data.group=COLUMN names a column, and"),
        ("film\na.png,1\nb.png,\n", "film", r"without a group in the column film: .*b\.png \(line 3\)"),
    ],
)
def test_a_column_that_is_missing_or_has_gaps_is_refused(tmp_path, table, group, said):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    path = tmp_path / "labels.csv"
    path.write_text(f"file,{table}")
    with pytest.raises(Problem, match=said):
        groups_of(group, paths_of([str(tmp_path / "a.png")]), tmp_path, Table(path, {}, "auto"))


@pytest.mark.parametrize("group", [r"(patient\d+)_", "patient", r"film-([^/]+)/", "(a|b), [x]"])
def test_a_pattern_is_typed_as_it_is_or_in_quotes(group):
    cfg = compose("train", ["data=folder", "data.root=x", f'data.group="{group}"']).cfg
    assert cfg is not None
    assert cfg["data"]["group"] == group
