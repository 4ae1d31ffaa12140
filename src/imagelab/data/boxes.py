# room: detection
"""Read pictures with boxes: COCO's JSON, Pascal VOC's XML, YOLO's text files or a CSV file."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from imagelab.box_labels import DEGENERATE, LEAST, OUTSIDE, BoxFault, clipped, counted, degenerate, padded
from imagelab.contracts import Images
from imagelab.data.annotations import Annotated, Annotations
from imagelab.data.box_table import box_table, read_box_table
from imagelab.data.coco import coco_files, read_coco
from imagelab.data.files import Files
from imagelab.data.scan import refuse_or_skip, scan
from imagelab.data.voc import read_voc, voc_files
from imagelab.data.yolo import read_yolo, yolo_names
from imagelab.problem import Problem, some_of

logger = logging.getLogger(__name__)

Format = Literal["coco", "voc", "yolo", "csv"]
READERS: dict[Format, Callable[[Path], Annotations]] = {
    "coco": read_coco,
    "voc": read_voc,
    "yolo": read_yolo,
    "csv": read_box_table,
}
SIGNS: dict[Format, Callable[[Path], object]] = {
    "coco": coco_files,
    "voc": voc_files,
    "yolo": yolo_names,
    "csv": box_table,
}


class Boxes:
    """Pictures in files, each with any number of boxes.

    Boxes are cut off at the borders of their picture; what is then thinner than a pixel is left out.

    Args:
        root: Folder with the annotations and the pictures.
        annotations: Format of the annotations; "auto": the only one found below root.
        on_bad_image: What to do about unreadable pictures: list them all, then stop ("error") or leave them
            out ("skip").
        max_pixels: Largest number of pixels of a picture; a larger one counts as unreadable.

    Raises:
        Problem: The annotations cannot be read, or their format is unclear.
    """

    def __init__(
        self,
        *,
        root: str,
        annotations: Literal["auto", "coco", "voc", "yolo", "csv"],
        on_bad_image: Literal["error", "skip"],
        max_pixels: int,
    ) -> None:
        top = Path(root).expanduser().absolute()
        if not top.is_dir():
            raise Problem(
                f"data.root={root} is not a folder; set it to the folder with pictures and annotations"
            )
        found = READERS[format_of(top) if annotations == "auto" else annotations](top)
        self.classes = found.classes or sorted({box[0] for one in found.pictures for box in one.boxes})
        if not self.classes:
            raise Problem(f"data.root={root} has pictures, but no boxes")
        pictures = sorted(found.pictures)
        looked = scan([one.path for one in pictures], str(top), max_pixels)
        refuse_or_skip(looked, len(pictures), on_bad_image)
        kept = np.flatnonzero(looked.readable)
        self.faults: list[BoxFault] = []  # boxes that are left out or cut off
        labels = padded(self._cleaned([pictures[place] for place in kept], looked.sizes[kept]))
        facts = looked.sizes[kept], max_pixels, looked.stamps[kept], looked.contents[kept]
        files = Files([pictures[place].path for place in kept], labels, *facts)
        parts = _splits([pictures[place] for place in kept], top)
        self.splits: dict[str, Images] = {
            name: files.select(np.flatnonzero(parts == name)) for name in sorted({*parts.tolist()})
        }

    def _cleaned(self, pictures: list[Annotated], sizes: np.ndarray) -> list[np.ndarray]:
        """The boxes of each picture, (n, 5) of class and corners in pixels, without degenerate ones."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        cleaned: list[np.ndarray] = []
        for one, (width, height) in zip(pictures, sizes.tolist(), strict=True):
            boxes = np.array([(numbers[name], *box) for name, *box in one.boxes], dtype=float).reshape(-1, 5)
            if one.relative:
                boxes[:, 1:] *= [width, height, width, height]
            given = boxes
            boxes = clipped(boxes, width, height)
            thin = degenerate(boxes)
            beyond = np.abs(given - boxes).max(axis=1, initial=0) > LEAST
            for box, bad, out in zip(one.boxes, thin, beyond, strict=True):
                if bad or out:
                    self.faults.append(BoxFault(one.path, box[0], box[1:], DEGENERATE if bad else OUTSIDE))
            cleaned.append(boxes[~thin])
        left_out = [str(fault) for fault in self.faults if fault.what == DEGENERATE]
        if left_out:
            logger.warning(
                "data: left out %s without an area: %s", counted(len(left_out)), some_of(left_out, 5)
            )
        return cleaned


def format_of(root: Path) -> Format:
    """The format of the annotations below a folder.

    Raises:
        Problem: There are none, or there are several formats.
    """
    found: list[Format] = [name for name, sign in SIGNS.items() if sign(root)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"data.annotations: {root} has annotations of {' and '.join(found)}; name one of them")
    raise Problem(
        f"data.root={root} has no boxes in a known format: COCO (*.json), Pascal VOC (*.xml), YOLO "
        "(data.yaml or classes.txt, and *.txt) or boxes.csv"
    )


def _splits(pictures: list[Annotated], root: Path) -> np.ndarray:
    """The split of each picture, (N,) str; all are "train" if none is given.

    Raises:
        Problem: Only some have one, or none is for training.
    """
    parts = np.array([one.split for one in pictures])
    if not (parts != "").any():
        return np.full(len(pictures), "train")
    if bare := [Path(one.path).name for one in pictures if not one.split]:
        raise Problem(f"{root}: {len(bare)} of {len(parts)} pictures are in no split: {some_of(bare, 5)}")
    if "train" not in parts:
        raise Problem(f"{root} has no pictures for train, only for {' and '.join(sorted({*parts.tolist()}))}")
    return parts
