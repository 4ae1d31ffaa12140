"""Read any folder of pictures: class folders, split folders of class folders, a table of labels, or none."""

from collections.abc import Collection, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal

from imagelab.data.files import Files
from imagelab.data.index import Index, index_folder, index_of
from imagelab.data.manifest import read_manifest
from imagelab.data.scan import Scan, refuse_or_skip, scan
from imagelab.problem import Problem, nearest, some_of


class Folder:
    """Pictures in files, each test-decoded once before it is used; the result is cached.

    Args:
        root: Folder with `train/`, `val/` (or `valid/`, `validation/`) and `test/`, each holding a folder
            per class; or with only such class folders; or with a `labels.csv`.
        manifest: CSV file with the columns file,label[,split], which replaces the folder names; files are
            searched beside it, then in `root`. None: `labels.csv` in `root`, if there is one.
        on_bad_image: What to do about unreadable pictures: list them all, then stop ("error") or leave them
            out ("skip").
        labelled: Whether labels are needed, of at least two classes. Otherwise pictures may lie directly in
            `root`, or in its `train/`, `val/` and `test/`, without a class folder.
        max_pixels: Largest number of pixels of a picture; a larger one counts as unreadable.
    """

    def __init__(
        self,
        *,
        root: str,
        manifest: str | None,
        on_bad_image: Literal["error", "skip"],
        labelled: bool,
        max_pixels: int,
    ) -> None:
        top = _existing(Path(root).expanduser().absolute(), "data.root")
        table = _table(top, manifest)
        index = index_folder(top, labelled=labelled) if table is None else index_of(read_manifest(table, top))
        origin = str(table or top)
        self.classes = _classes(index.classes, origin, least=2 if labelled else 1)
        found = scan(index.paths, origin, max_pixels)
        refuse_or_skip(found, len(index.paths), on_bad_image)
        self.splits: Mapping[str, Files] = {
            split: _files(index, split, self.classes, found, max_pixels) for split in sorted(index.classes)
        }
        _refuse_empty(self.splits, self.classes, found.record)


def _existing(path: Path, key: str) -> Path:
    if path.is_dir():
        return path
    if path.exists():
        raise Problem(f"{key}={path} is a file; set it to a folder")
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


def _files(index: Index, split: str, classes: list[str], found: Scan, max_pixels: int) -> Files:
    """The readable pictures of a split, in the order of their classes."""
    places, labels = index.places(split, classes)
    kept = found.readable[places]
    places = places[kept]
    facts = found.stamps[places], found.contents[places]
    return Files(index.paths[places], labels[kept], found.sizes[places], max_pixels, *facts)


def _refuse_empty(splits: Mapping[str, Files], classes: list[str], record: Path) -> None:
    for split, files in splits.items():
        if not len(files):
            raise Problem(f"no picture in {split} can be read: fix them or remove {split} ({record})")
    present = set(splits["train"].labels.tolist())
    if empty := [name for label, name in enumerate(classes) if label not in present]:
        raise Problem(
            f"no picture of {some_of(empty)} in train can be read: fix them or drop the class ({record})"
        )
