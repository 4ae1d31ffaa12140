# room: detection
"""Define what every reader of boxes returns; find pictures and splits by names of files and folders."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from imagelab.data.listing import SPLITS, is_picture
from imagelab.problem import Problem, some_of


class Annotated(NamedTuple):
    """A picture with its boxes.

    path: Path of the picture. split: train, val or test; empty: not given.
    boxes: (class, left, top, right, bottom) of each box, in pixels from the top left corner of the picture;
    if `relative`, in shares of its width and height.
    """

    path: str
    split: str
    boxes: list[tuple[str, float, float, float, float]]
    relative: bool = False


class Annotations(NamedTuple):
    """All pictures of a data set, and its classes in their own order; none: in that of their names."""

    pictures: list[Annotated]
    classes: list[str]


def split_in(path: Path, root: Path) -> str:
    """The split that a path below root names by a folder, or by a word of its file name; "" if none does.

    >>> split_in(Path("r/valid/a.json"), Path("r")), split_in(Path("r/instances_train2017.json"), Path("r"))
    ('val', 'train')
    """
    *folders, name = path.relative_to(root).parts
    for folder in folders:
        if folder.lower() in SPLITS:
            return SPLITS[folder.lower()]
    words = "".join(letter if letter.isalpha() else " " for letter in Path(name).stem.lower()).split()
    return next((SPLITS[word] for word in words if word in SPLITS), "")


def regular(root: Path, pattern: str) -> list[Path]:
    """The files anywhere below root that match a pattern, sorted; a named pipe would never end."""
    return sorted(path for path in root.rglob(pattern) if path.is_file())


def pictures_by_name(root: Path) -> dict[str, str]:
    """The pictures anywhere below root, by their path from each folder above them, so that any form is found.

    A name that several pictures share stands for none of them.
    """
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if is_picture(path.name) and path.is_file():
            parts = path.relative_to(root).parts
            for first in range(len(parts)):
                name = "/".join(parts[first:])
                found[name] = "" if name in found and first else str(path)
    return found


def refuse_missing(names: Iterable[str], where: object) -> None:
    """Raise a Problem if pictures that annotations name are not there."""
    if gone := sorted(names):
        raise Problem(
            f"{where} names pictures that are not below data.root, or by a name that several have: "
            f"{some_of(gone, 5)}"
        )
