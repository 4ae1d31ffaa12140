"""Split a data set into train, val and test, stratified, by content and not by the seed; choose classes."""

import logging
from collections.abc import Mapping, Set
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from imagelab.contracts import Images, Source
from imagelab.data.decisions import Decided, apply_decisions
from imagelab.data.folds import Folds, pooled
from imagelab.data.groups import part_of_groups
from imagelab.data.labels import kind_of, refuse_all_but_classes
from imagelab.data.named import Named, named
from imagelab.data.ranks import first_of_each, part_of
from imagelab.problem import Problem, nearest, some_of

logger = logging.getLogger(__name__)

Splits = dict[str, Images]


class Dealt(NamedTuple):
    """The classes and splits of a run, and what the decisions changed."""

    classes: list[str]
    named: dict[str, Named]
    decided: dict[str, Decided]

    @property
    def splits(self) -> Splits:
        """The images of each split."""
        return {split: part.images for split, part in self.named.items()}


def prepare_splits(source: Source, **how: Any) -> Dealt:
    """Prepare the classes of a run and its splits, as `deal` does.

    Raises:
        Problem: The images cannot be trained on.
    """
    dealt = deal(list(source.classes), named(source.splits), **how)
    carved = set() if how["folds"] else dealt.named.keys() - source.splits.keys()
    refuse_empty(dealt.classes, dealt.named, how["limit"], carved)
    warn_of_groups(dealt.named)
    return dealt


def deal(
    names: list[str],
    splits: Mapping[str, Named],
    *,
    classes: list[str | int] | None,
    limit: int | None,
    train_limit: float | None,
    val_fraction: float,
    test_fraction: float,
    folds: int | None,
    fold: int | None,
    decisions: str | None,
) -> Dealt:
    """Deal the images of a source to "train", "val" and, if there is one, "test": the only place that does.

    Args:
        names: Names of the classes, in the order of the labels.
        splits: Images of the source that can be read.
        classes: Names of the classes to use; None: all.
        limit: Most images per split (of all folds together), the same share of each class.
        train_limit: The same for "train" alone: a number, or a share below 1; "val" and "test" stay whole.
        val_fraction: Share of the training images for "val", if there is none and no folds; in (0, 1).
        test_fraction: Share of all images for "test", if the source has only "train"; in (0, 1).
        folds: Number of equal parts of all images but "test"; None: no folds.
        fold: Number of the part that becomes "val", from 0.
        decisions: Table of images to drop or relabel; held-out images stay the same.
    """
    splits = pool(splits, test_fraction) if folds else carve(splits, val_fraction, test_fraction)
    parts, decided = Folds(splits["train"], folds) if folds else None, dict[str, Decided]()
    if decisions is not None:
        splits, decided = apply_decisions(splits, decisions, names)
    if classes is not None:  # YAML reads 3 as a number
        names, splits = choose_classes(names, splits, [str(name) for name in classes])
    if limit is not None:
        splits = {name: _limited(part, limit) for name, part in splits.items()}
    if parts is not None:
        splits |= parts.hold_out(splits["train"], fold or 0, refold=limit is not None)
    if train_limit is not None:
        splits["train"] = _limited(splits["train"], _count(train_limit, splits["train"]))
    return Dealt(names, splits, decided)


def carve(splits: Mapping[str, Named], val_fraction: float, test_fraction: float) -> dict[str, Named]:
    """Add the splits that a source lacks: "test" if it has only "train", and "val" if it has none."""
    carved = _with_test(splits, test_fraction)
    if "val" not in carved:
        carved["train"], carved["val"] = _divide(carved["train"], "val", val_fraction)
    return carved


def pool(splits: Mapping[str, Named], test_fraction: float) -> dict[str, Named]:
    """Merge train and val into one "train"; "test" is that of `carve`, whatever the folds."""
    parts = _with_test(splits, test_fraction)
    return {"train": pooled(parts)} | ({"test": parts["test"]} if "test" in parts else {})


def choose_classes(
    names: list[str], splits: Mapping[str, Named], chosen: list[str]
) -> tuple[list[str], dict[str, Named]]:
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


def refuse_empty(names: list[str], splits: Mapping[str, Named], limit: int | None, carved: Set[str]) -> None:
    """Raise a Problem if a split is empty or a class has no training image.

    Args:
        names: Names of the classes.
        splits: Splits by name.
        limit: Most images per split; None: all.
        carved: Names of the splits that were carved out of the training images.
    """
    keys = " and ".join(f"data.{split}_fraction" for split in sorted(carved))
    taken = sum(len(splits[split]) for split in carved)
    left = len(splits["train"])
    fractions = f"{keys}: {taken:,} of {taken + left:,} images are held out"
    if left == 0 and len(np.unique(np.concatenate([part.contents for part in splits.values()]))) == 1:
        raise Problem(f"data: all {taken:,} images are copies of one, which belong in one split; add others")
    if carved and left == 0:
        raise Problem(f"{fractions} and none is left to train on; set smaller ones, such as 0.1")
    for split, images in splits.items():
        if len(images) == 0:
            raise Problem(f"data: the {split} split has no images")
    _refuse_bare_tags(names, splits["train"].labels)
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


def warn_of_groups(splits: Mapping[str, Named]) -> None:
    """Log images of a split whose group is in another split, too: the source came with such splits."""
    grouped = [(name, part, part.groups) for name, part in splits.items() if part.groups is not None]
    for (one, first, groups), (other, _, others) in combinations(grouped, 2):
        if len(shared := np.flatnonzero(np.isin(groups, others))):
            names = some_of(first.select(shared).names, most=3)
            logger.warning("data.group: images of %s and %s are of one group: %s", one, other, names)


def _refuse_bare_tags(names: list[str], labels: np.ndarray) -> None:
    """Raise a Problem if no training image has one of several classes."""
    bare = np.flatnonzero(~labels.any(axis=0)) if kind_of(labels) == "multilabel" else []
    if len(bare):
        gone = some_of([names[k] for k in bare])
        raise Problem(f"data: no training images of {gone}; add some, or leave the class out")


def _with_test(splits: Mapping[str, Named], fraction: float) -> dict[str, Named]:
    parts = dict(splits)
    if set(parts) == {"train"}:
        parts["train"], parts["test"] = _divide(parts["train"], "test", fraction)
    return parts


def _count(limit: float, images: Named) -> int:
    return int(limit) if limit >= 1 else max(1, round(limit * len(images)))


def _limited(images: Named, limit: int) -> Named:
    return images.select(first_of_each(images.labels, images.contents, limit))


def _divide(images: Named, part: str, fraction: float) -> tuple[Named, Named]:
    if images.groups is None:
        held_out = part_of(images.labels, images.contents, fraction, part)
    else:
        held_out = part_of_groups(images.labels, images.groups, fraction, part)
    return images.select(np.flatnonzero(~held_out)), images.select(np.flatnonzero(held_out))


def _renumber(images: Named, number: np.ndarray) -> Named:
    kept = images.select(np.flatnonzero(number[images.labels] >= 0))
    return kept.relabel(number[kept.labels])
