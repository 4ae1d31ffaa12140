"""Find the choice that a value was most likely meant for, such as the kind of data set of a folder."""

import mimetypes
import os
from itertools import islice
from pathlib import Path

LOOKED_AT = 1000  # entries of a folder
NOT_BY_CLASS = ("annotations", "labels")  # folders beside the pictures of data sets with boxes


def by_likelihood(group: str, choices: list[str], key: str, value: object) -> list[str]:
    """The choices that a value fits, the likeliest first; data=folder alone if it holds images by class."""
    if (group, key) != ("data", "root") or "folder" not in choices:
        return choices
    if holds_images_by_class(Path(str(value))):
        return ["folder"]
    return ["folder", *(choice for choice in choices if choice != "folder")]


def holds_images_by_class(root: Path) -> bool:
    """Whether a folder, or one of its folders such as train/, has two folders or more with images."""
    folders = _folders(root)
    if any(folder.name.lower() in NOT_BY_CLASS for folder in folders):
        return False
    splits = [folder for folder in folders if "train" in folder.name.lower()]
    return any(sum(map(_has_images, _folders(place))) > 1 for place in (root, *splits))


def _folders(root: Path) -> list[Path]:
    if not (root.is_dir() and os.access(root, os.R_OK | os.X_OK)):
        return []
    with os.scandir(root) as entries:
        return [Path(entry.path) for entry in islice(entries, LOOKED_AT) if entry.is_dir()]


def _has_images(folder: Path) -> bool:
    if not os.access(folder, os.R_OK | os.X_OK):
        return False
    with os.scandir(folder) as entries:
        kinds = (mimetypes.guess_type(entry.name)[0] or "" for entry in islice(entries, LOOKED_AT))
        return any(kind.startswith("image/") for kind in kinds)
