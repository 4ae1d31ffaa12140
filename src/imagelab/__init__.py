"""Imagelab: train networks on images with every trick the field teaches."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagelab.problem import Problem as Problem

if TYPE_CHECKING:
    from imagelab.in_process import evaluate as evaluate
    from imagelab.in_process import predict as predict
    from imagelab.in_process import train as train
    from imagelab.predictor import Predictor

# When imported, albumentations looks online for a newer version: slow, and a warning if it finds none.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# Threads that spin while waiting slow a run on busy cores down several times. torch reads this on import.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def load(path: str | Path, trust: Sequence[str] = ()) -> "Predictor":
    """Load a trained network, ready to use, from the folder of a run or from a checkpoint.

    Args:
        path: Folder or file.
        trust: Modules besides this project's own that the file may name.
    """
    from imagelab import loading  # imports torch, which the command line does not need

    return loading.load(path, trust)


def __getattr__(name: str) -> Any:
    if name not in ("train", "evaluate", "predict"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from imagelab import in_process

    return in_process.CALLABLE[name]
