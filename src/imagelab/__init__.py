"""Imagelab: train image classifiers with every trick the field teaches."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagelab.predictor import Predictor


def load(path: str | Path) -> "Predictor":
    """A trained network, ready to use, from the folder of a run or from a checkpoint."""
    from imagelab.predictor import (
        load as open_predictor,
    )  # imports torch, which the command line's check need not

    return open_predictor(path)
