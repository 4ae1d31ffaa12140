"""Read any folder of pictures: class folders, split folders of class folders, a table of labels, or none."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from imagelab.data.files import Files
from imagelab.data.groups import together
from imagelab.data.index import Index, index_folder, index_of
from imagelab.data.label_table import tabled
from imagelab.data.labels import SEVERAL, WORDS, kind_of
from imagelab.data.manifest import LABEL, ROLES, Table, read_manifest
from imagelab.data.paths import Paths, paths_of
from imagelab.data.scan import Scan, refuse_or_skip, scan
from imagelab.data.signals import read_signals
from imagelab.problem import Problem, nearest, some_of


class Folder:
    """Pictures in files, each test-decoded once before it is used; the result is cached.

    Args:
        root: Folder with `train/`, `val/` (or `valid/`, `validation/`) and `test/`, each holding a folder
            per class; or with only such class folders; or with a `labels.csv`.
        manifest: CSV file with the columns file,label[,split], which replaces the folder names; files are
            searched beside it, then in `root`. None: `labels.csv` in `root`, if there is one.
        columns: What those columns are called instead: "file", "label", "split", "group" -> name. None: so.
        delimiter: What separates the cells of that file; "auto": whichever is most frequent in its header.
        label: Column of that file with the labels, or several of them. One column holds a class, a value, or
            several classes such as red|dress; several columns hold values, or say yes or no to a class each.
        group: Column of that file, or a regular expression with one pair of parentheses over the path of each
            picture in `root`. Pictures with the same text there, such as the name of a patient, stay on one
            side of every split that is drawn. None: only copies stay together.
        on_bad_image: What to do about unreadable pictures: list them all, then stop ("error") or leave them
            out ("skip").
        signals: What the network sees: `image`, and further columns of that file, numbers or categories.
        takes: Kind of labels that the task takes. If it takes none, pictures may lie directly in `root`, or
            in its `train/`, `val/` and `test/`, without a class folder.
        max_pixels: Largest number of pixels of a picture; a larger one counts as unreadable.
    """

    def __init__(
        self,
        *,
        root: str,
        manifest: str | None,
        columns: dict[str, str] | None,
        delimiter: Literal["auto", "comma", "semicolon", "tab", "pipe"],
        label: str | list[str],
        group: str | None,
        on_bad_image: Literal["error", "skip"],
        signals: list[str],
        takes: Literal["class", "multilabel", "values", ""],
        max_pixels: int,
    ) -> None:
        top = _existing(Path(root).expanduser().absolute(), "data.root")
        table = table_of(top, manifest, columns, delimiter)
        origin = str(table or top)
        labels_in = label_columns(label, columns)
        if takes in SEVERAL:
            self.classes, paths, splits, labels = tabled(top, table, takes, labels_in)
            places = {split: np.flatnonzero(splits == split) for split in {*splits.tolist()}}
            parts = {split: (mine, labels[mine]) for split, mine in places.items()}
        else:
            index = indexed(top, table, takes, labels_in)
            self.classes = _classes(index.classes, origin, least=2 if takes else 1)
            paths = index.paths
            parts = {split: index.places(split, self.classes) for split in index.classes}
        found = scan(paths, origin, max_pixels)
        refuse_or_skip(found, len(paths), on_bad_image)
        paths = paths_of(paths)
        groups = together(group, paths, found.contents, top, table)
        self.splits: Mapping[str, Files] = {
            split: _files(paths, *parts[split], groups, found, max_pixels) for split in sorted(parts)
        }
        _refuse_empty(self.splits, self.classes, found.record)
        self.signals = read_signals(signals, table, top, self.splits)


def indexed(top: Path, table: Table | None, takes: str, columns: Sequence[str]) -> Index:
    """The pictures by split and class, of a table or else of the folders.

    Raises:
        Problem: There are none, or there are several columns with classes.
    """
    if takes and len(columns) != 1:
        raise Problem(f"data.label: wants a column for {WORDS[takes]}, got {len(columns)}; name one of them")
    if table is None:
        return index_folder(top, labelled=bool(takes))
    return index_of(read_manifest(table, top, columns[0] if takes else None))


def _existing(path: Path, key: str) -> Path:
    if path.is_dir():
        return path
    if path.exists():
        raise Problem(f"{key}={path} is a file; set it to a folder")
    parent = next(above for above in path.parents if above.is_dir())
    missing = path.relative_to(parent).parts[0]
    near = nearest(missing, [inner.name for inner in parent.iterdir() if inner.is_dir()])
    raise Problem(f"{key}={path} does not exist: {parent} has no folder {missing!r}{near}")


def table_of(
    root: Path, manifest: str | None, columns: Mapping[str, str] | None, delimiter: str
) -> Table | None:
    """The table of labels that replaces the folder names, if there is one; arguments as in `Folder`.

    Raises:
        Problem: There is no such table, or no table whose columns could be named.
    """
    for role in columns or {}:
        if role not in ROLES:
            raise Problem(
                f"data.columns: there is no {role!r} among {', '.join(ROLES)}{nearest(role, ROLES)}"
            )
    path = _path_of(root, manifest)
    if path is None and columns:
        raise Problem(f"data.columns: {root} has no labels.csv with columns; set data.manifest=TABLE")
    return path and Table(path, columns or {}, delimiter)


def label_columns(label: str | list[str], columns: Mapping[str, str] | None) -> list[str]:
    """The columns with labels, by their names or roles.

    Raises:
        Problem: `data.columns` names another one.
    """
    if LABEL in (columns or {}) and label != LABEL:
        raise Problem(
            f"data.label={label}: data.columns names the column of labels, too; leave one of them out"
        )
    return [label] if isinstance(label, str) else label


def _path_of(root: Path, manifest: str | None) -> Path | None:
    if manifest is None:
        table = root / "labels.csv"
        return table if table.is_file() else None
    table = Path(manifest).expanduser().absolute()
    inside = root / manifest
    if table.is_file() or inside.is_file():
        return table if table.is_file() else inside
    if table.exists() or inside.exists():
        raise Problem(f"data.manifest={manifest} is a folder; set it to a CSV file")
    raise Problem(f"data.manifest={manifest} does not exist: there is no CSV file {table} or {inside}")


def _classes(listing: Mapping[str, Collection[str]], origin: str, least: int) -> list[str]:
    """All classes by name, so that a class missing from a split never shifts the labels of the others."""
    if "train" not in listing:
        others = f", only for {' and '.join(sorted(listing))}" if listing else ""
        raise Problem(f"{origin} has no pictures for train{others}")
    classes = sorted(set(chain.from_iterable(listing.values())))
    for split, found in sorted(listing.items()):
        if strange := sorted(set(found) - set(listing["train"])):
            raise Problem(
                f"{origin}: {split} has classes that train does not have: {some_of(strange)}; "
                f"add pictures of them to train, or remove them from {split}"
            )
    if len(classes) < least:
        raise Problem(f"{origin} has only one class ({classes[0]}): add a second one")
    return classes


def _files(
    paths: Paths,
    places: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    found: Scan,
    max_pixels: int,
) -> Files:
    """The readable pictures at these places."""
    kept = found.readable[places]
    places = places[kept]
    facts = found.stamps[places], found.contents[places], None if groups is None else groups[places]
    return Files(paths[places], labels[kept], found.sizes[places], max_pixels, *facts)


def _refuse_empty(splits: Mapping[str, Files], classes: list[str], record: Path) -> None:
    for split, files in splits.items():
        if not len(files):
            raise Problem(f"no picture in {split} can be read: fix them or remove {split} ({record})")
    if kind_of(splits["train"].labels) != "class":
        return
    present = set(splits["train"].labels.tolist())
    if empty := [name for label, name in enumerate(classes) if label not in present]:
        raise Problem(
            f"no picture of {some_of(empty)} in train can be read: fix them or drop the class ({record})"
        )
