# room: detection
"""Write the boxes that a network finds in picture files: a table, COCO's JSON, drawn into the pictures."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from imagelab.box_labels import Detections
from imagelab.config.schema import Node
from imagelab.data.decode import Unreadable, decode
from imagelab.pages.box_picture import DrawnBox, colour_of, with_boxes
from imagelab.problem import Problem
from imagelab.runs.csv_cells import Writer

SCORE = 0.3  # least score of a box that is written, unless the config says another
COLUMNS = ("file", "label", "score", "left", "top", "right", "bottom", "error")
KEPT = (".jpg", ".png")  # forms of pictures that drawn ones keep

Found = list[tuple[Path, Detections | Unreadable]]


def write(cfg: Node, output: Path, predictor: Any, paths: list[Path]) -> list[tuple[Path, str]]:
    """Write the boxes in each file as `imagelab predict` is asked to; return the unreadable files, and why.

    Args:
        cfg: Config of the command.
        output: File to write: COCO's JSON if its name ends in .json, else CSV.
        predictor: Network that finds boxes.
        paths: Picture files.

    Raises:
        Problem: A key is not for boxes, or a file cannot be written.
    """
    _refuse(cfg)
    drawn = output.with_name(f"{output.stem}_drawn") if cfg["draw"] else None
    try:
        # File names may contain bytes that are not text; they are written unchanged.
        with output.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            found = [*_found(predictor, paths, cfg, drawn)]
            if output.suffix == ".json":
                json.dump(as_coco(found, predictor.task.names), file, indent=1)
            else:
                _write_table(file, found)
    except OSError as problem:
        raise Problem(f"output={output} cannot be written: {problem.strerror or problem}") from problem
    return [(path, _why(path, one)) for path, one in found if isinstance(one, Unreadable)]


def _refuse(cfg: Node) -> None:
    """Raise a Problem if a key is for networks that predict classes."""
    asked = {
        "set": cfg["set"] is not None,
        "explain": cfg["explain"],  # room: explaining
    }
    if wrong := [name for name, there in asked.items() if there]:
        raise Problem(
            f"{wrong[0]}: is for networks that predict classes, and this one finds boxes; leave it out"
        )


def _found(predictor: Any, paths: list[Path], cfg: Node, drawn: Path | None) -> Iterator[tuple[Path, Any]]:
    """Each file and its boxes, or why it is unreadable; draws them on the way if a folder is given."""
    least = SCORE if cfg["score"] is None else cfg["score"]
    top = _top(paths)
    for first in range(0, len(paths), cfg["batch_size"]):
        some = paths[first : first + cfg["batch_size"]]
        for path, reading in zip(some, predictor.files(some), strict=True):
            one = reading if isinstance(reading, Unreadable) else reading.above(least)
            if drawn and isinstance(one, Detections):
                _draw(path, drawn / path.absolute().relative_to(top), one)
            yield path, one


def _write_table(file: TextIO, found: Found) -> None:
    """A line per box; a file without boxes, or an unreadable one, has one line without a label."""
    writer = Writer(file)
    writer.writerow(COLUMNS)
    for path, one in found:
        if isinstance(one, Unreadable):
            writer.writerow([path, *[""] * 6, _why(path, one)])
            continue
        rows = zip(one.names, one.scores.tolist(), one.corners.tolist(), strict=True)
        lines = [[name, f"{score:.6f}", *(f"{side:.2f}" for side in box), ""] for name, score, box in rows]
        for line in lines or [[""] * 7]:
            writer.writerow([path, *line])


def as_coco(found: Found, classes: Sequence[str]) -> Node:
    """COCO's three lists; `annotations` are results in COCO's form, boxes as left, top, width and height.

    The id of an image is the number in the name of its file, as in COCO, if all names are numbers;
    else its place, from 1 on. Images without boxes are listed, and so are unreadable ones, as such.

    Args:
        found: Files with their boxes.
        classes: Names of the classes.
    """
    top = _top([path for path, _ in found])
    numbers = [path.stem for path, _ in found]
    named = all(number.isdecimal() for number in numbers) and len({*map(int, numbers)}) == len(numbers)
    ids = [int(number) for number in numbers] if named else [*range(1, len(found) + 1)]
    images: list[Node] = []
    unreadable: list[Node] = []
    annotations: list[Node] = []
    for number, (path, one) in zip(ids, found, strict=True):
        name = str(path.absolute().relative_to(top))
        if isinstance(one, Unreadable):
            unreadable.append({"file_name": name, "error": _why(path, one)})
            continue
        images.append({"id": number, "file_name": name, "width": one.size[0], "height": one.size[1]})
        annotations += [{"image_id": number} | box for box in _boxes(one)]
    content: Node = {
        "images": images,
        "categories": [{"id": place, "name": name} for place, name in enumerate(classes, 1)],
        "annotations": [{"id": place} | box for place, box in enumerate(annotations, 1)],
    }
    return content | ({"unreadable": unreadable} if unreadable else {})


def _boxes(one: Detections) -> Iterator[Node]:
    for label, score, corners in zip(one.labels, one.scores, one.corners.round(2).tolist(), strict=True):
        left, top, right, bottom = corners
        width, height = round(right - left, 2), round(bottom - top, 2)
        yield {
            "category_id": int(label) + 1,
            "bbox": [left, top, width, height],
            "area": round(width * height, 2),
            "iscrowd": 0,
            "score": round(float(score), 6),
        }


def boxes_to_draw(one: Detections) -> list[DrawnBox]:
    """The boxes found in a picture, each in the colour of its class, with its name and score."""
    found = zip(one.corners.tolist(), one.names, one.scores.tolist(), one.labels.tolist(), strict=True)
    return [DrawnBox(box, f"{name} {score:.2f}", colour_of(label)) for box, name, score, label in found]


def _draw(path: Path, target: Path, one: Detections) -> None:
    """Write a picture with its boxes; what is no .jpg or .png becomes a .png."""
    if target.suffix.lower() not in KEPT:
        target = target.with_name(f"{target.name}.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(with_boxes(decode(path), boxes_to_draw(one), side=max(one.size))).save(target, quality=90)


def _top(paths: Sequence[Path]) -> Path:
    """The folder that all files are in, or below."""
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))


def _why(path: Path, error: Unreadable) -> str:
    return str(error).removeprefix(f"{path}: ")
