"""Show every image, by class, split, size, brightness or finding."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from imagelab.inspection.scan import Seen
from imagelab.pages.page import Section
from imagelab.pages.sheets import COLUMNS, Listed, sheets, write_sheets

FOLDER = "gallery"  # beside the page


def all_images(seen: Seen, marks: Mapping[str, Sequence[str]], folder: Path) -> Section:
    """The section with all images; their thumbnails are written into a folder beside the page.

    Args:
        seen: Scan of N images.
        marks: What was found in some images -> their names.
        folder: Folder of the page.
    """
    write_sheets(_taken(seen), folder / FOLDER)
    images = seen.images
    place = {name: k for k, name in enumerate(images.names.tolist())}
    labels = np.array([images.label(index) for index in range(len(images))], dtype=np.str_)
    classes, of_class = np.unique(labels, return_inverse=True)
    splits = list(images.parts)
    files = images.walk
    listed = Listed(
        names=images.names.tolist(),
        root=os.path.relpath(files.root, folder.absolute()) if files else "",
        words={"class": classes.tolist(), "split": splits},
        labels=of_class,
        splits=np.array([splits.index(split) for split in images.splits.tolist()]),
        sizes=seen.sizes,
        brightness=seen.measures["brightness"],
        marks={what: [place[name] for name in names if name in place] for what, names in marks.items()},
    )
    about = (
        f"All {len(images):,} images, those with a finding on a coloured ground. Point at one to see what it "
        f"is, click on it to open the file. The thumbnails are in the folder `{FOLDER}` beside this page."
    )
    return Section("All images", about, sheets(listed, FOLDER), script="sheets.js")


def _taken(seen: Seen) -> Iterator[np.ndarray]:
    """The thumbnails of each sheet."""
    count = len(seen.images)
    each = COLUMNS**2
    for first in range(0, count, each):
        yield seen.previews.take(np.arange(first, min(count, first + each)))
