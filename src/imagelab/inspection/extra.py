"""How many extra images join the training images, of which classes?"""

from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.extra import extra_of
from imagelab.finding import Finding
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen

NAME = "extra images"


def extra_images(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Count the images of data.extra that would join, by class.

    Raises:
        Problem: They cannot join.
    """
    images, knobs = seen.images, dict(cfg["data"])
    extra = extra_of(knobs, images.classes, knobs["max_pixels"])
    if extra is None:
        return Answer(findings=[])
    train = images.labels[seen.readable & (images.splits == "train")]
    joining = extra.choose(images.classes, train)
    counts = np.bincount(joining.files.labels, minlength=len(images.classes)).tolist()
    fact = Finding(
        name=NAME,
        status="INFO",
        value=dict(zip(images.classes, counts, strict=True)),
        expected="",
        why=joining.in_words().removeprefix("data.extra: "),
        fix="",
    )
    return Answer(findings=[fact])
