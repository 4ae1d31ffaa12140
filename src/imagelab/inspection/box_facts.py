# room: detection
"""List every box of the inspected images with its sides, and which boxes are strange."""

from pathlib import Path

import numpy as np

from imagelab.box_labels import CLASS, CORNERS, there
from imagelab.inspection.scan import Seen
from imagelab.runs.csv_cells import Writer

TINY = 4.0  # pixels of the network's input: a shorter side than that is hardly seen
GIANT = 0.9  # share of its picture from which a box frames nothing
SAME = 0.9  # IoU from which two boxes of a class are one object
SIZE = 224  # pixels of the network's input if nothing else is said, as for photos
FLAGS = ("tiny", "giant", "given twice")
COLUMNS = ("file", "split", "label", "left", "top", "right", "bottom", "flags")


class BoxFacts:
    """The boxes of all images.

    Args:
        seen: Scan of the images.
        size: Side of the network's input in pixels; None: the larger side of images in memory, else 224.

    Attributes:
        images: Image of each box, (B,) int64. labels: Class of each, (B,) int64. corners: (B, 4) in pixels.
        splits: Split of each, (B,) str. areas: Share of its picture, (B,). flags: Flag -> (B,) bool.
    """

    def __init__(self, seen: Seen, size: int | None) -> None:
        rows = seen.images.labels
        self.images, places = np.nonzero(there(rows))
        own = rows[self.images, places]
        self.labels, self.corners = own[:, CLASS].astype(int), own[:, CORNERS].astype(float)
        self.splits = seen.images.splits[self.images]
        self.sizes = np.maximum(seen.sizes[self.images].astype(float), 1)
        self.sides = self.corners[:, 2:] - self.corners[:, :2]
        self.areas = self.sides.prod(axis=1) / self.sizes.prod(axis=1)
        longer = self.sizes.max(axis=1)
        small = seen.images.walk is None and not seen.kinds.astype(bool).any()  # in memory
        shrink = (size or (longer if small else SIZE)) / longer
        self.flags = {
            "tiny": self.sides.min(axis=1, initial=np.inf) * shrink < TINY,
            "giant": self.areas > GIANT,
            "given twice": self._twice(),
        }

    def named(self, seen: Seen, flag: str) -> dict[str, str]:
        """File -> its boxes with a flag, in words."""
        told: dict[str, list[str]] = {}
        for place in np.flatnonzero(self.flags[flag]).tolist():
            name = str(seen.images.names[self.images[place]])
            told.setdefault(name, []).append(self.words(seen, place))
        return {name: "; ".join(words) for name, words in told.items()}

    def words(self, seen: Seen, place: int) -> str:
        """A box in words: its class and corners."""
        corners = ", ".join(f"{corner:.4g}" for corner in self.corners[place])
        return f"{seen.images.classes[self.labels[place]]} [{corners}]"

    def write(self, seen: Seen, path: Path) -> None:
        """Write a row per box to a CSV file, in pixels of its picture."""
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = Writer(file)
            writer.writerow(COLUMNS)
            for place, image in enumerate(self.images.tolist()):
                flags = "; ".join(flag for flag, which in self.flags.items() if which[place])
                label = seen.images.classes[self.labels[place]]
                corners = [f"{corner:.6g}" for corner in self.corners[place]]
                name, split = seen.images.names[image], seen.images.splits[image]
                writer.writerow([name, split, label, *corners, flags])

    def _twice(self) -> np.ndarray:
        """Which boxes repeat an earlier one of their image and class."""
        again = np.zeros(len(self.images), dtype=bool)
        starts = np.flatnonzero(np.diff(self.images, prepend=-1))
        for first, last in zip(starts, np.append(starts, len(self.images))[1:], strict=True):
            boxes, labels = self.corners[first:last], self.labels[first:last]
            low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
            high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
            common = (high - low).clip(min=0).prod(axis=2)
            area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
            alike = common >= SAME * (area[:, None] + area[None] - common)
            earlier = np.tril(alike & (labels[:, None] == labels[None]), k=-1)
            again[first:last] = earlier.any(axis=1)
        return again
