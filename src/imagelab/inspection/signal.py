"""Test whether labels follow what the images show."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.label_signal import MOST, label_signal, signal_finding
from imagelab.inspection.answer import Answer
from imagelab.randomness import stream

if TYPE_CHECKING:
    from imagelab.inspection.scan import Seen


def labels_follow(seen: "Seen", cfg: Node, folder: Path) -> Answer:
    """Whether labels follow what is to be seen on the images; nothing where there is one class."""
    readable = np.flatnonzero(seen.readable)
    some = np.sort(stream(cfg["seed"], "label signal images").permutation(readable)[:MOST])
    labels = seen.images.labels[some]
    if len(np.unique(labels)) < 2:
        return Answer(findings=[])
    z = label_signal(seen.thumbnails.take(some), labels, seed=cfg["seed"])
    return Answer(findings=[signal_finding(z, len(some))])
