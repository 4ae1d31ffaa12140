# room: detection
"""Read boxes from COCO's JSON files, one per split.

Source: https://cocodataset.org/#format-data, "Object Detection"; boxes there are left, top, width, height.
"""

import json
from pathlib import Path
from typing import Any

from imagelab.data.annotations import (
    Annotated,
    Annotations,
    pictures_by_name,
    refuse_missing,
    regular,
    split_in,
)
from imagelab.problem import Problem

KEYS = {"images", "annotations", "categories"}


def coco_files(root: Path) -> list[Path]:
    """The JSON files below root that hold COCO's three lists."""
    return [file for file in regular(root, "*.json") if _loaded(file).keys() >= KEYS]


def read_coco(root: Path) -> Annotations:
    """Read all pictures; boxes around crowds (`iscrowd`) are left out, as in COCO's training.

    Raises:
        Problem: There is no such file, pictures are missing, or the files name different classes.
    """
    files = coco_files(root)
    if not files:
        raise Problem(f"data.root={root} has no JSON file with images, annotations and categories")
    names = pictures_by_name(root)
    classes: list[str] = []
    pictures: list[Annotated] = []
    for file in files:
        content = _loaded(file)
        kinds = {kind["id"]: str(kind["name"]) for kind in sorted(content["categories"], key=_number)}
        if classes and classes != [*kinds.values()]:
            raise Problem(f"{file} has other categories than {files[0]}: {', '.join(kinds.values())}")
        classes = [*kinds.values()]
        pictures += _pictures(content, kinds, split_in(file, root), names, file)
    used = {box[0] for picture in pictures for box in picture.boxes}
    return Annotations(pictures, [name for name in classes if name in used])


def _pictures(
    content: Any, kinds: dict[int, str], split: str, names: dict[str, str], file: Path
) -> list[Annotated]:
    found: dict[int, list[tuple[str, float, float, float, float]]] = {
        one["id"]: [] for one in content["images"]
    }
    for one in content["annotations"]:
        if not one.get("iscrowd") and "bbox" in one and one["image_id"] in found:
            left, top, width, height = one["bbox"]
            found[one["image_id"]].append((kinds[one["category_id"]], left, top, left + width, top + height))
    paths = {one["id"]: _path(one["file_name"], split, names) for one in content["images"]}
    refuse_missing((one["file_name"] for one in content["images"] if not paths[one["id"]]), file)
    return [Annotated(paths[image], split, boxes) for image, boxes in found.items()]


def _path(name: str, split: str, names: dict[str, str]) -> str:
    """The path of a picture: by its name alone, or in a folder of its split."""
    spelt = [name, *(f"{folder}/{name}" for folder in _folders(split)), Path(name).name]
    return next((names[one] for one in spelt if names.get(one)), "")


def _folders(split: str) -> list[str]:
    return {"val": ["val", "valid", "validation", "val2017"]}.get(split, [split, f"{split}2017"])


def _number(kind: dict[str, Any]) -> int:
    return int(kind["id"])


def _loaded(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Problem(f"{file} cannot be read as JSON ({error})") from error
    return content if isinstance(content, dict) else {}
