"""Find the pictures of a folder: split folders with class folders, or class folders alone."""

import os
from collections import Counter
from pathlib import Path

from imagelab.data.tree import is_folder, tree
from imagelab.problem import Problem, some_of

Listing = dict[str, dict[str, list[str]]]
"""split -> class -> paths of its pictures."""

UNLABELLED = "unlabelled"  # the class of pictures that lie in no class folder
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

# Not every machine reads the kinds in the last line: better to report them as unreadable than to skip them.
# fmt: off
ENDINGS = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff",
    ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".j2k", ".ico",
    ".heic", ".heif", ".jxl", ".psd",
])
# fmt: on


def list_pictures(root: Path, *, labelled: bool) -> Listing:
    """List the pictures below a folder, as `search` does."""
    return search(root, labelled=labelled)[0]


def search(root: Path, *, labelled: bool) -> tuple[Listing, list[str]]:
    """List the pictures below a folder by split and class, sorted by name; and all folders that were listed.

    Args:
        root: Folder to search.
        labelled: Whether all pictures must lie in class folders; otherwise those outside are of the class
            `unlabelled`.

    Raises:
        Problem: There are no pictures, or the layout of the folder is not understood.
    """
    folders = _folders(root)
    splits = {folder: SPLITS[folder.name.lower()] for folder in folders if folder.name.lower() in SPLITS}
    has_train = any(name == "train" and (not labelled or _folders(folder)) for folder, name in splits.items())
    if not folders or (not has_train and len(splits) < len(folders)):
        listing, below = _classes(root, labelled)
        return {"train": listing}, below
    if "train" not in splits.values():
        raise Problem(f"{root} has {_names(splits)} but no train/: {_layouts()}")
    _refuse_doubles(root, splits)
    found = {name: _classes(folder, labelled) for folder, name in splits.items()}
    below = [folder for _, folders in found.values() for folder in folders]
    return {name: listing for name, (listing, _) in found.items()}, [str(root), *below]


def is_picture(path: str) -> bool:
    """Whether a file is named like a picture."""
    return _ending(path) in ENDINGS


def _classes(folder: Path, labelled: bool) -> tuple[dict[str, list[str]], list[str]]:
    """Class -> pictures, and all folders; raises a Problem that names the empty classes."""
    trees = {inner.name: tree(str(inner)) for inner in _folders(folder)}
    found = {name: sorted(filter(is_picture, below.files)) for name, below in trees.items()}
    if not labelled:
        found[UNLABELLED] = found.get(UNLABELLED, []) + _beside(folder)
        found = {name: paths for name, paths in found.items() if paths}
    if not found and not labelled:
        raise Problem(f"{folder} has no pictures: {_contents(folder)}")
    if not found:
        raise Problem(f"{folder} has no class folders ({_contents(folder)}): {_layouts()}")
    if empty := [name for name, paths in found.items() if not paths]:
        names = some_of([f"{name} ({_contents(folder / name)})" for name in empty])
        raise Problem(f"class folders without pictures in {folder}: {names}; fill or remove them")
    return found, [str(folder), *(below for one in trees.values() for below in one.folders)]


def _folders(folder: Path) -> list[Path]:
    hidden = (".", "__MACOSX")
    return sorted(inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith(hidden))


def _beside(folder: Path) -> list[str]:
    """The pictures directly in a folder."""
    return sorted(entry.path for entry in os.scandir(folder) if _is_file(entry) and is_picture(entry.path))


def _refuse_doubles(root: Path, splits: dict[Path, str]) -> None:
    for split, times in Counter(splits.values()).items():
        if times > 1:
            same = [folder.name for folder, name in splits.items() if name == split]
            raise Problem(f"{root} has {' and '.join(same)}, which mean the same split: keep one of them")


def _names(folders: dict[Path, str]) -> str:
    return " and ".join(f"{folder.name}/" for folder in folders)


def _contents(folder: Path) -> str:
    """What a folder holds instead of pictures, in words."""
    kinds = Counter(_ending(entry.name) or "other" for entry in os.scandir(folder) if _is_file(entry))
    found = some_of([f"{times} {kind} files" for kind, times in kinds.most_common()], most=3)
    return f"it holds {found}" if found else "it is empty"


def _layouts() -> str:
    return (
        "expected a folder for each class, or train/, val/ and test/ with such folders, "
        "or a labels.csv with the columns file,label[,split]"
    )


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is visible and not a folder; a broken link counts, so it is reported."""
    return not entry.name.startswith(".") and not is_folder(entry)


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - for each of 60,000 files
