"""Train, val and test: stratified, the same each time whatever the seed; subsets of classes and images."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar, cast

import numpy as np

from imagelab.contracts import Images, Source
from imagelab.data.decisions import Decided, decide
from imagelab.data.folds import Folds, pooled
from imagelab.data.named import Named, named
from imagelab.problem import Problem, nearest, some_of
from imagelab.randomness import stream

Splits = dict[str, Images]
Part = TypeVar("Part", bound=Images)


class Prepared(NamedTuple):
    """The classes and the splits that a run uses, the latter with names too, and what was decided on them."""

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
    """The classes and the splits "train", "val" and, where there is one, "test" that a run uses.

    Args:
        source: The data set.
        classes: Only these, by name.
        limit: Images a split, or all folds, at most, the same share of each class.
        val_fraction: Of the training images, where the source has no "val" and there are no folds; in (0, 1).
        test_fraction: Of all images, where the source has "train" only; in (0, 1).
        folds: Parts of equal size of what is not for testing, one of which is "val"; None: no such parts.
        fold: Which of them, from 0.
        decisions: A table of images to drop or to relabel. It never changes which images are held out.

    Raises:
        Problem: What cannot be trained on.
    """
    names, told, splits = list(source.classes), dict[str, Decided](), named(source.splits)
    splits = pool(splits, test_fraction) if folds else carve(splits, val_fraction, test_fraction)
    parts = Folds(splits["train"], folds) if folds else None
    if decisions is not None:
        splits, told = decide(splits, decisions, names)
    if classes is not None:
        chosen = [str(name) for name in classes]  # YAML reads 3 as a number
        names, splits = choose_classes(names, splits, chosen)
    if limit is not None:
        splits = {name: images.select(first_of_each(images.labels, limit)) for name, images in splits.items()}
    if parts is not None:
        splits |= parts.held_out(splits["train"], fold or 0, anew=limit is not None)
    refuse_empty(names, splits, limit)
    return Prepared(names, {split: part.images for split, part in splits.items()}, splits, told)


def carve(splits: Mapping[str, Part], val_fraction: float, test_fraction: float) -> dict[str, Part]:
    """Add what a source has not: "test" where it has "train" only, "val" where it has none."""
    carved = _with_test(splits, test_fraction)
    if "val" not in carved:
        carved["train"], carved["val"] = _divide(carved["train"], "val", val_fraction)
    return carved


def pool(splits: Mapping[str, Named], test_fraction: float) -> dict[str, Named]:
    """Train and val as one "train", and "test": as `carve` has it, whatever the folds."""
    parts = _with_test(splits, test_fraction)
    return {"train": pooled(parts)} | ({"test": parts["test"]} if "test" in parts else {})


def stratified_order(labels: np.ndarray, purpose: str) -> np.ndarray:
    """An order of (N,) labels, the same each time, whose every beginning holds each class in its share.

    >>> labels = np.repeat([0, 1], [75, 25])
    >>> np.bincount(labels[stratified_order(labels, "test")[:20]]).tolist()
    [15, 5]
    """
    order = stream(0, purpose).permutation(len(labels))  # the seed of a run must not change what is held out
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    place = np.empty(len(labels))
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort((place + 0.5) / counts[shuffled], kind="stable")]


def first_of_each(labels: np.ndarray, limit: int) -> np.ndarray:
    """Places of `limit` images, each class in its share and at least once; a larger limit adds to them."""
    order = stratified_order(labels, "limit")
    _, firsts = np.unique(labels[order], return_index=True)
    if len(firsts) <= limit:
        order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.sort(order[:limit])


def choose_classes(
    names: list[str], splits: Mapping[str, Part], chosen: list[str]
) -> tuple[list[str], dict[str, Part]]:
    """Only the images of the chosen classes, their labels numbered in the order of the choice."""
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


def refuse_empty(names: list[str], splits: Mapping[str, Images], limit: int | None) -> None:
    """Raise a Problem where a split is empty or a class has no training image."""
    for split, images in splits.items():
        if len(images) == 0:
            raise Problem(f"data: the {split} split has no images")
    missing = np.flatnonzero(np.bincount(splits["train"].labels, minlength=len(names)) == 0)
    if len(missing) == 0:
        return
    gone = some_of([names[k] for k in missing])
    if limit is not None and limit < len(names):
        raise Problem(
            f"data.limit: {limit} images cannot hold all {len(names)} classes; say at least {len(names)}"
        )
    elsewhere = [split for split, images in splits.items() if np.isin(images.labels, missing).any()]
    where = f" (there are some in {' and '.join(elsewhere)})" if elsewhere else ""
    raise Problem(
        f"data: no training images of {gone}{where}; add some, or leave the class out by data.classes=[...]"
    )


def _with_test(splits: Mapping[str, Part], fraction: float) -> dict[str, Part]:
    parts = dict(splits)
    if set(parts) == {"train"}:
        parts["train"], parts["test"] = _divide(parts["train"], "test", fraction)
    return parts


def _divide(images: Part, part: str, fraction: float) -> tuple[Part, Part]:
    if not 0 < fraction < 1:
        raise Problem(f"data.{part}_fraction: a share between 0 and 1 is expected, got {fraction}")
    order = stratified_order(images.labels, part)
    count = max(1, round(fraction * len(order)))
    halves = images.select(np.sort(order[count:])), images.select(np.sort(order[:count]))
    return cast(tuple[Part, Part], halves)


def _renumber(images: Part, number: np.ndarray) -> Part:
    kept = images.select(np.flatnonzero(number[images.labels] >= 0))
    return cast(Part, kept.relabel(number[kept.labels]))
