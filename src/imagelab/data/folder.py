"""Any folder of pictures: class folders, split folders with class folders, a table of labels, or none."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from imagelab.data.files import Files
from imagelab.data.listing import Listing, listed
from imagelab.data.manifest import read_manifest
from imagelab.data.scan import refuse_or_skip, scan
from imagelab.problem import Problem, nearest, some_of


class Folder:
    """A source of pictures in files; every one is decoded once before it is used, and that is remembered.

    Args:
        root: The folder, with `train/`, `val/` (or `valid/`, `validation/`) and `test/` that hold a folder
            for each class, or with these class folders alone, or with a `labels.csv`.
        manifest: A CSV file with the columns file,label[,split], read in place of the folders' names; files
            are looked for beside it, then in `root`. None: `labels.csv` in `root`, where there is one.
        on_bad_image: What becomes of pictures that cannot be read: all are listed, then "error" stops and
            "skip" leaves them out.
        labelled: Whether the labels are wanted: then there are two classes or more. Otherwise pictures may
            lie in `root`, or in its `train/`, `val/` and `test/`, without a class folder.
    """

    def __init__(
        self, *, root: str, manifest: str | None, on_bad_image: Literal["error", "skip"], labelled: bool
    ) -> None:
        top = _existing(Path(root).expanduser().absolute(), "data.root")
        table = _table(top, manifest)
        listing = listed(top, labelled=labelled) if table is None else read_manifest(table, top)
        origin = str(table or top)
        self.classes = _classes(listing, origin, least=2 if labelled else 1)
        paths = [path for classes in listing.values() for path in chain.from_iterable(classes.values())]
        found = scan(paths, origin)
        refuse_or_skip(found, len(paths), on_bad_image)
        sizes = {
            path: size for path, size in zip(paths, found.sizes, strict=True) if path not in found.faults
        }
        self.splits: Mapping[str, Files] = {
            split: _files(classes, self.classes, sizes) for split, classes in sorted(listing.items())
        }
        _refuse_empty(self.splits, self.classes, found.record)


def _existing(path: Path, key: str) -> Path:
    if path.is_dir():
        return path
    if path.exists():
        raise Problem(f"{key}={path} is a file: expected a folder")
    parent = next(above for above in path.parents if above.is_dir())
    missing = path.relative_to(parent).parts[0]
    near = nearest(missing, [inner.name for inner in parent.iterdir() if inner.is_dir()])
    raise Problem(f"{key}={path} does not exist: {parent} has no folder {missing!r}{near}")


def _table(root: Path, manifest: str | None) -> Path | None:
    if manifest is None:
        table = root / "labels.csv"
        return table if table.is_file() else None
    table = Path(manifest).expanduser().absolute()
    inside = root / manifest
    if table.is_file() or inside.is_file():
        return table if table.is_file() else inside
    if table.exists() or inside.exists():
        raise Problem(f"data.manifest={manifest} is a folder: expected a CSV file")
    raise Problem(f"data.manifest={manifest} does not exist: expected a CSV file at {table} or {inside}")


def _classes(listing: Listing, origin: str, least: int) -> list[str]:
    """All classes by name: one that is missing from a split never shifts the labels of the others."""
    if "train" not in listing:
        others = f", only for {' and '.join(sorted(listing))}" if listing else ""
        raise Problem(f"{origin} has no pictures for train{others}")
    classes = sorted(set(chain.from_iterable(listing.values())))
    for split, found in sorted(listing.items()):
        if strange := sorted(found.keys() - listing["train"].keys()):
            raise Problem(
                f"{origin}: there are classes in {split} that training never shows: {some_of(strange)}; "
                f"give train pictures of them, or remove them from {split}"
            )
    if len(classes) < least:
        raise Problem(f"{origin} has one class only ({classes[0]}): at least two are needed to tell apart")
    return classes


def _files(listing: dict[str, list[str]], classes: list[str], sizes: dict[str, np.ndarray]) -> Files:
    """The pictures whose size is known, in the order of their classes."""
    kept = [
        (path, label) for label, name in enumerate(classes) for path in listing.get(name, []) if path in sizes
    ]
    paths = [path for path, _ in kept]
    labels = np.array([label for _, label in kept], dtype=np.int64)
    return Files(paths, labels, np.array([sizes[path] for path in paths], dtype=np.int32).reshape(-1, 2))


def _refuse_empty(splits: Mapping[str, Files], classes: list[str], record: Path) -> None:
    for split, files in splits.items():
        if not len(files):
            raise Problem(f"no picture in {split} can be read: mend them or remove {split} ({record})")
    present = set(splits["train"].labels.tolist())
    if empty := [name for label, name in enumerate(classes) if label not in present]:
        raise Problem(
            f"no picture of {some_of(empty)} in train can be read: mend them or drop the class ({record})"
        )
