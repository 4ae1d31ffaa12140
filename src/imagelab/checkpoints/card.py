"""Describe an exported file in plain data: how to prepare its input and what its output means."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagelab.metrics.table import CLASSES, TAGS
from imagelab.problem import Problem

Card = dict[str, Any]
KEY = "imagelab"  # metadata key of the card in a file
INPUT, SIGNALS = "images", "signals"
FITTED = "fitted"  # key of the numbers that the task has from the data
PROBABILITIES = "probabilities"  # what the output of an exported file is called if it predicts classes
FITS = {  # how a picture becomes the input, by whether the network sees the whole of it
    False: "the picture's shorter side resized to fit, its centre cut out",
    True: "the whole picture at the top left, its longer side resized to fit, the rest grey (114)",
}
BATCH = "batch"  # the name of the dimension that may be of any length


def card_of(checkpoint: Card, weights: str, task: Any, signals: Sequence[str] = ()) -> Card:
    """The card of a network to export.

    Args:
        checkpoint: The card of the run's checkpoint.
        weights: raw, ema or swa.
        task: Task that predicts, with these weights.
        signals: Names of the numbers that the network sees besides an image.
    """
    names = task.names
    buffers = task.named_buffers(recurse=False) if hasattr(task, "named_buffers") else ()
    preprocess, reader = checkpoint["preprocess"], checkpoint["reader"]
    side = preprocess["size"]
    height, width = reader["shape"] or (side, side)
    fields = getattr(task, "fields", ())  # of a task that finds places
    predicted = checkpoint.get("predicts", CLASSES)
    return {
        "classes": checkpoint["classes"],
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": [BATCH, 3, height, width],
            "meaning": f"RGB from 0 to 255, {FITS[preprocess.get('whole', False)]}",
        },
        **_signals([*signals]),
        "output": {
            "name": PROBABILITIES if predicted in (CLASSES, TAGS) else predicted,
            "dtype": "float32",
            "shape": [BATCH, task.most, len(fields)] if fields else [BATCH, len(names)],
            "names": [*fields] or names,
        },
        "size": side,
        "preprocess": preprocess,
        "reader": reader,
        "model": checkpoint["model"],
        **{key: checkpoint[key] for key in ("task", "task_config", "predicts") if key in checkpoint},
        FITTED: {name: values.tolist() for name, values in buffers},
        "seed": checkpoint["seed"],
        "weights": weights,
    }


def inputs_of(card: Card) -> list[str]:
    """The names of the inputs of an exported file, in order."""
    return [INPUT, *([SIGNALS] if SIGNALS in card else [])]


def _signals(names: list[str]) -> Card:
    """What the second input of a file is, if it has one."""
    if not names:
        return {}
    meaning = (
        "numbers as (value - mean) / std, by preprocess.signals, 0 where missing; 1 for the value that a "
        "category has, else 0"
    )
    what = {"name": SIGNALS, "dtype": "float32", "shape": [BATCH, len(names)]}
    return {SIGNALS: what | {"names": names, "meaning": meaning}}


def written(card: Card) -> str:
    """The card as text, to store in a file."""
    return json.dumps(card)


def read(found: Mapping[str, str] | None, path: Path) -> Card:
    """Read the card from the metadata of a file.

    Raises:
        Problem: Another program wrote the file.
    """
    if not found or not found.get(KEY):
        raise Problem(f"{path} does not list its classes: Imagelab did not write it")
    return json.loads(found[KEY])
