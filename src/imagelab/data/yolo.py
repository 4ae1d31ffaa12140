# room: detection
"""Read boxes from YOLO's text files: one per picture, in a folder `labels` beside `images`, or beside it.

A line is class, then centre x and y, width and height, as shares of the picture.
Source: https://docs.ultralytics.com/datasets/detect
"""

from pathlib import Path

import yaml

from imagelab.data.annotations import Annotated, Annotations, regular, split_in
from imagelab.data.listing import is_picture
from imagelab.problem import Problem

NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")


def yolo_names(root: Path) -> Path | None:
    """The file below root that lists the names of the classes."""
    return next((file for name in NAMES for file in regular(root, name)), None)


def read_yolo(root: Path) -> Annotations:
    """Read all pictures; one without a text file has no boxes.

    Raises:
        Problem: There is no list of classes, no picture, or a line is not understood.
    """
    file = yolo_names(root)
    if file is None:
        raise Problem(f"data.root={root} has no list of classes ({', '.join(NAMES)})")
    classes = _names(file)
    pictures = [path for path in sorted(root.rglob("*")) if is_picture(path.name)]
    if not pictures:
        raise Problem(f"data.root={root} has no pictures")
    found = [
        Annotated(str(path), split_in(path, root), _boxes(_text(path, root), classes), relative=True)
        for path in pictures
    ]
    return Annotations(found, classes)


def _names(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".yaml":
        return [line.strip() for line in text.splitlines() if line.strip()]
    names = (yaml.safe_load(text) or {}).get("names")
    if not names:
        raise Problem(f"{file} has no names of classes")
    return [
        str(name) for name in (dict(sorted(names.items())).values() if isinstance(names, dict) else names)
    ]


def _text(picture: Path, root: Path) -> Path:
    """The text file of a picture."""
    parts = picture.relative_to(root).with_suffix(".txt").parts
    return root.joinpath(*("labels" if part == "images" else part for part in parts))


def _boxes(file: Path, classes: list[str]) -> list[tuple[str, float, float, float, float]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [_box(line, file, number, classes) for number, line in enumerate(lines, 1) if line.strip()]


def _box(line: str, file: Path, number: int, classes: list[str]) -> tuple[str, float, float, float, float]:
    try:
        label, x, y, width, height = line.split()[:5]
        if int(label) >= len(classes):
            raise Problem(
                f"{file} line {number}: class {label}, and there are {len(classes)} classes, from 0 to "
                f"{len(classes) - 1}; count from 0, without a background"
            )
        name = classes[int(label)] if int(label) >= 0 else None
        across, down = float(width) / 2, float(height) / 2
        box = float(x) - across, float(y) - down, float(x) + across, float(y) + down
    except ValueError as error:
        raise Problem(f"{file} line {number}: wants class x y width height, got {line!r}") from error
    if name is None or max(map(abs, box)) > 4:
        raise Problem(f"{file} line {number}: wants shares of the picture between 0 and 1, got {line!r}")
    return name, *box
