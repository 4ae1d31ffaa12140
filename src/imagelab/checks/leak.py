"""Does train contain the very same images as val or test?"""

from pathlib import Path
from typing import Any

from imagelab.checks.findings import fact, found
from imagelab.checks.subject import Subject
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.finding import Finding, grade

FEW = 0.005  # share of a split that may be in train, too: some published sets have that many
FILES = 20_000  # files per split that are compared
TOGETHER = (
    "keep all copies of an image in one split"
    "; `imagelab inspect split=repaired` does"  # room: inspection
)
PAIRS = (
    "look for copies, and for images of the same scene"
    "; `imagelab inspect` shows the pairs"  # room: inspection
)


def exact_copies(subject: Subject) -> Finding:
    """No image of another split is in train with the same pixels, or the same file."""
    splits = dict(subject.data.splits)
    train = splits.pop("train")
    shares = [0.0]
    words = []
    for name, images in splits.items():
        here, there = _contents(images, train), _contents(train, images)
        if here is None or there is None:
            return fact(
                None,
                "these images cannot be compared as files"
                "; `imagelab inspect` compares pixels",  # room: inspection
            )
        known = set(there)
        count = sum(one in known for one in here)
        shares.append(count / max(1, len(images)))
        words.append(f"{count:,} of {len(images):,} in {name}")
    share = max(shares)
    return found(
        grade(fail=share > FEW, warn=share),
        ", ".join(words),
        expected=f"none; FAIL above {FEW:.1%} of a split",
        why="the same images are in train: metrics are too optimistic"
        if share
        else "no image is in both train and another split",
        fix=TOGETHER if share else "",
    )


def _contents(images: Any, others: Any) -> list[Any] | None:
    """A value per image that is equal for equal images; None if the images have no such value."""
    if isinstance(images, Arrays):
        return [image.tobytes() for image in images.images.numpy()]
    if isinstance(images, Files) and isinstance(others, Files):
        sizes = {Path(path).stat().st_size for path in others.paths[:FILES]}
        paths = map(Path, images.paths[:FILES])
        return [path.read_bytes() if path.stat().st_size in sizes else str(path) for path in paths]
    return None
