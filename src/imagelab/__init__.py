"""Imagelab: train image classifiers with every trick the field teaches."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagelab.predictor import Predictor

# When imported, albumentations asks the network for a newer version: slow, and a warning where there is none.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# Threads that spin while they wait slow a run on busy cores down several times. torch reads it when imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def load(path: str | Path, trust: Sequence[str] = ()) -> "Predictor":
    """A trained network, ready to use, from the folder of a run or from a checkpoint.

    Args:
        path: The folder or file.
        trust: Modules besides this project's own that the file may name.
    """
    from imagelab import loading  # imports torch, which the command line need not

    return loading.load(path, trust)
