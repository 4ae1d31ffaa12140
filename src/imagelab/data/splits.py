"""Split a data set into train, val and test, stratified and independent of the seed; choose classes."""

from collections.abc import Mapping, Set
from typing import NamedTuple, TypeVar, cast

import numpy as np

from imagelab.contracts import Images, Source
from imagelab.data.decisions import Decided, apply_decisions
from imagelab.data.folds import Folds, pooled
from imagelab.data.labels import kind_of, refuse_all_but_classes, strata
from imagelab.data.named import Named, named
from imagelab.problem import Problem, nearest, some_of
from imagelab.randomness import stream

Splits = dict[str, Images]
Part = TypeVar("Part", bound=Images)


class Prepared(NamedTuple):
    """The classes and splits of a run, the splits with names too, and what the decisions changed."""

    classes: list[str]
    splits: Splits
    named: dict[str, Named]
    decided: dict[str, Decided]


def prepare_splits(
    source: Source,
    *,
    classes: list[str | int] | None,
    limit: int | None,
    val_fraction: float,
    test_fraction: float,
    folds: int | None,
    fold: int | None,
    decisions: str | None,
) -> Prepared:
    """Prepare the classes of a run and its splits "train", "val" and, if there is one, "test".

    Args:
        source: Data set.
        classes: Names of the classes to use; None: all.
        limit: Most images per split (of all folds together), the same share of each class.
        val_fraction: Share of the training images for "val", if there is none and no folds; in (0, 1).
        test_fraction: Share of all images for "test", if the source has only "train"; in (0, 1).
        folds: Number of equal parts of all images but "test"; None: no folds.
        fold: Number of the part that becomes "val", from 0.
        decisions: Table of images to drop or relabel; held-out images stay the same.

    Raises:
        Problem: The images cannot be trained on.
    """
    names, splits, decided = list(source.classes), named(source.splits), dict[str, Decided]()
    splits = pool(splits, test_fraction) if folds else carve(splits, val_fraction, test_fraction)
    parts = Folds(splits["train"], folds) if folds else None
    if decisions is not None:
        splits, decided = apply_decisions(splits, decisions, names)
    if classes is not None:
        chosen = [str(name) for name in classes]  # YAML reads 3 as a number
        names, splits = choose_classes(names, splits, chosen)
    if limit is not None:
        splits = {name: images.select(first_of_each(images.labels, limit)) for name, images in splits.items()}
    if parts is not None:
        splits |= parts.hold_out(splits["train"], fold or 0, refold=limit is not None)
    refuse_empty(names, splits, limit, set() if folds else splits.keys() - source.splits.keys())
    return Prepared(names, {split: part.images for split, part in splits.items()}, splits, decided)


def carve(splits: Mapping[str, Part], val_fraction: float, test_fraction: float) -> dict[str, Part]:
    """Add the splits that a source lacks: "test" if it has only "train", and "val" if it has none."""
    carved = _with_test(splits, test_fraction)
    if "val" not in carved:
        carved["train"], carved["val"] = _divide(carved["train"], "val", val_fraction)
    return carved


def pool(splits: Mapping[str, Named], test_fraction: float) -> dict[str, Named]:
    """Merge train and val into one "train"; "test" is that of `carve`, whatever the folds."""
    parts = _with_test(splits, test_fraction)
    return {"train": pooled(parts)} | ({"test": parts["test"]} if "test" in parts else {})


def stratified_order(labels: np.ndarray, purpose: str) -> np.ndarray:
    """An order of N labels, the same each time, in which every prefix is stratified by class.

    >>> labels = np.repeat([0, 1], [75, 25])
    >>> np.bincount(labels[stratified_order(labels, "test")[:20]]).tolist()
    [15, 5]
    """
    order = stream(0, purpose).permutation(len(labels))  # the seed of a run must not change what is held out
    labels = strata(labels)
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    place = np.empty(len(labels))
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort((place + 0.5) / counts[shuffled], kind="stable")]


def first_of_each(labels: np.ndarray, limit: int) -> np.ndarray:
    """Places of `limit` images, stratified, each class at least once; a larger limit only adds images."""
    order = stratified_order(labels, "limit")
    _, firsts = np.unique(strata(labels)[order], return_index=True)
    if len(firsts) <= limit:
        order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.sort(order[:limit])


def choose_classes(
    names: list[str], splits: Mapping[str, Part], chosen: list[str]
) -> tuple[list[str], dict[str, Part]]:
    """Keep only the images of the chosen classes; labels are renumbered in the order of the choice.

    Raises:
        Problem: There is no such class, or the images have no single one.
    """
    for images in splits.values():
        refuse_all_but_classes(images.labels, "data.classes")
    for name in chosen:
        if name not in names:
            raise Problem(
                f"data.classes: there is no class {name!r} among {some_of(names)}{nearest(name, names)}"
            )
        if chosen.count(name) > 1:
            raise Problem(f"data.classes: {name!r} is named {chosen.count(name)} times; name each class once")
    number = np.full(len(names), -1)
    number[[names.index(name) for name in chosen]] = np.arange(len(chosen))
    return list(chosen), {split: _renumber(images, number) for split, images in splits.items()}


def refuse_empty(names: list[str], splits: Mapping[str, Images], limit: int | None, carved: Set[str]) -> None:
    """Raise a Problem if a split is empty or a class has no training image.

    Args:
        names: Names of the classes.
        splits: Splits by name.
        limit: Most images per split; None: all.
        carved: Names of the splits that were carved out of the training images.
    """
    keys = " and ".join(f"data.{split}_fraction" for split in sorted(carved))
    taken, left = sum(len(splits[split]) for split in carved), len(splits["train"])
    fractions = f"{keys}: {taken:,} of {taken + left:,} images are held out"
    if carved and left == 0:
        raise Problem(f"{fractions} and none is left to train on; set smaller ones, such as 0.1")
    for split, images in splits.items():
        if len(images) == 0:
            raise Problem(f"data: the {split} split has no images")
    if kind_of(splits["train"].labels) != "class":
        return
    missing = np.flatnonzero(np.bincount(splits["train"].labels, minlength=len(names)) == 0)
    if len(missing) == 0:
        return
    gone = some_of([names[k] for k in missing])
    if limit is not None and limit < len(names):
        raise Problem(
            f"data.limit: {limit} images cannot cover all {len(names)} classes; set {len(names)} or more"
        )
    if any(np.isin(splits[split].labels, missing).any() for split in carved):
        raise Problem(f"{fractions}, among them all of {gone}; set smaller ones, such as 0.1")
    elsewhere = [split for split, images in splits.items() if np.isin(images.labels, missing).any()]
    where = f" (there are some in {' and '.join(elsewhere)})" if elsewhere else ""
    raise Problem(
        f"data: no training images of {gone}{where}; add some, or leave the class out with data.classes=[...]"
    )


def _with_test(splits: Mapping[str, Part], fraction: float) -> dict[str, Part]:
    parts = dict(splits)
    if set(parts) == {"train"}:
        parts["train"], parts["test"] = _divide(parts["train"], "test", fraction)
    return parts


def _divide(images: Part, part: str, fraction: float) -> tuple[Part, Part]:
    if not 0 < fraction < 1:
        raise Problem(f"data.{part}_fraction must lie between 0 and 1, got {fraction}")
    order = stratified_order(images.labels, part)
    count = max(1, round(fraction * len(order)))
    halves = images.select(np.sort(order[count:])), images.select(np.sort(order[:count]))
    return cast(tuple[Part, Part], halves)


def _renumber(images: Part, number: np.ndarray) -> Part:
    kept = images.select(np.flatnonzero(number[images.labels] >= 0))
    return cast(Part, kept.relabel(number[kept.labels]))
