"""Test whether labels depend on the content of the images."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imagelab.config.rules.signals import columns_beside
from imagelab.config.schema import Node
from imagelab.data.label_signal import MOST, label_signal, signal_finding
from imagelab.data.labels import kind_of
from imagelab.inspection.answer import Answer
from imagelab.randomness import stream

TINY = 1e-12

if TYPE_CHECKING:
    from imagelab.inspection.scan import Seen


def labels_follow(seen: "Seen", cfg: Node, folder: Path) -> Answer:
    """Test whether labels depend on the images; with a single class, there is no finding."""
    readable = np.flatnonzero(seen.readable)
    some = np.sort(stream(cfg["seed"], "label signal images").permutation(readable)[:MOST])
    labels = seen.images.labels[some]
    if len(np.unique(labels, axis=0)) < 2:
        return Answer(findings=[])
    if kind_of(labels) == "values":
        labels = (labels - labels.mean(axis=0)) / np.maximum(labels.std(axis=0), TINY)
    z = label_signal(seen.thumbnails.take(some), labels, seed=cfg["seed"])
    return Answer(findings=[signal_finding(z, len(some), beside=bool(columns_beside(cfg)))])
