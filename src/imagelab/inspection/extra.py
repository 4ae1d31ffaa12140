"""How many extra images join the training images, of which classes, and which are like held-out images?"""

from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.extra import Joining, extra_of
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.collection import Collection
from imagelab.inspection.duplicates import find_duplicates
from imagelab.inspection.scan import Seen, scan
from imagelab.problem import some_of

NAME, COPIES = "extra images", "extra images like held-out ones"
EXTRA = "extra"  # their split, while they are compared


def extra_images(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Count the images of data.extra that would join, by class, and compare them with held-out images.

    Raises:
        Problem: They cannot join.
    """
    images = seen.images
    knobs = dict(cfg["data"])
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
    return Answer(findings=[fact, _copies(images, joining, cfg["features"], folder)])


def _copies(images: Collection, joining: Joining, features: str | None, folder: Path) -> Finding:
    """Which extra images are copies, exact or near, of held-out ones."""
    held = images.splits != "train"
    both = scan(
        Collection(
            parts={EXTRA: joining.files} | {k: part for k, part in images.parts.items() if k != "train"},
            classes=images.classes,
            names=np.concatenate([np.array(joining.files.paths.tolist()), images.names[held]]),
            splits=np.concatenate([np.full(len(joining.files), EXTRA), images.splits[held]]),
            labels=np.concatenate([joining.files.labels, images.labels[held]]),
        ),
        folder,
    )
    found, count = find_duplicates(both, features), len(joining.files)
    alike = np.flatnonzero(np.isin(found.groups[:count], found.groups[count:]))
    exact = int(np.isin(both.digests[alike, 0], both.digests[count:, 0]).sum())
    return Finding(
        name=COPIES,
        status=grade(fail=exact, warn=len(alike)),
        value=f"{exact} exact, {len(alike) - exact} near",
        expected="none: held-out images must stay unseen"
        + ("" if found.thresholds else "; images this small are compared by equal pixels only"),
        why=some_of(both.images.names[alike].tolist()),
        fix="remove them from data.extra; train refuses exact copies only" if len(alike) else "",
    )
