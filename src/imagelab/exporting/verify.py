"""Verify that an exported file predicts the same as its network, on images of the data set."""

from pathlib import Path

import numpy as np
import torch

from imagelab.config.make import make
from imagelab.config.schema import Node, split
from imagelab.config.trust import trusting
from imagelab.contracts import Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.signals import Column, Row
from imagelab.exporting.formats import load_exported
from imagelab.predictor import Predictor, TakesPictures, batch_of
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.task.contract import Placing

SPLITS = ("test", "val", "train")  # in order of preference


def difference(path: Path, predictor: Predictor, pictures: list[np.ndarray]) -> float:
    """The largest difference of any output, with one image at a time and with all in one batch.

    Args:
        path: Exported file.
        predictor: Predictor that was exported.
        pictures: Images, (H, W, 3) uint8 each.
    """
    with trusting([str(path)]):  # written just now
        found = load_exported(path)
    apart = [_apart(found, predictor, batch) for batch in (pictures[:1], pictures)]
    return float(np.max(apart))  # NaN if any is NaN


def _apart(found: TakesPictures, predictor: Predictor, pictures: list[np.ndarray]) -> float:
    if not isinstance(predictor.task, Placing):
        beside = made_beside(predictor.preprocess.signals, len(pictures))
        return np.abs(found.images(pictures, beside) - predictor.images(pictures, beside)).max()
    other, given = (batch_of([one.prepared(each) for each in pictures]) for one in (found, predictor))
    side = max(given.shape[-2:])
    return predictor.task.apart(found.predictions(other), predictor.predictions(given), side)


def pictures_of(data: Node, seed: int, count: int) -> tuple[list[np.ndarray], str]:
    """Images of a run's data set and a description of their source; generated ones if the data are gone.

    Args:
        data: Data config of the run.
        seed: Seed of the run.
        count: Number of images, >= 1.
    """
    own, knobs = split("data", data)
    own |= {"download": False} if "download" in own else {}
    try:
        source = make(own, seed=seed, labelled=False, takes="", max_pixels=knobs["max_pixels"])
        name = next(name for name in SPLITS if name in source.splits)
        return _chosen(source.splits[name], count), f"images of the data set's {name} split"
    except (Problem, OSError):
        return made(count), "generated images, since the run's data were not found"


def made(count: int) -> list[np.ndarray]:
    """Images of coloured patches of various sizes, the same each time."""
    rng = stream(0, "verify")
    patches = [rng.integers(0, 256, (2**size, 2**size, 3)) for size in rng.integers(0, 8, count)]
    return [np.kron(patch, np.ones((256 // len(patch),) * 2 + (1,))).astype(np.uint8) for patch in patches]


def made_beside(columns: list[Column], count: int) -> list[Row] | None:
    """What could be known of images besides their pixels, the same each time; None if nothing is asked."""
    rng = stream(0, "verify beside")

    def cell(column: Column) -> object:
        if "values" in column:
            return str(rng.choice(column["values"]))
        return float(column["mean"] + column["std"] * rng.standard_normal())

    return [{column["name"]: cell(column) for column in columns} for _ in range(count)] if columns else None


def _chosen(images: Images, count: int) -> list[np.ndarray]:
    places = np.unique(np.linspace(0, len(images) - 1, count).astype(np.int64))
    if isinstance(images, Arrays):
        return [_rgb(picture) for picture in images.gather(places)]
    assert isinstance(images, Photos)
    return [images.photo(int(place), None) for place in places]


def _rgb(picture: torch.Tensor) -> np.ndarray:
    return picture.expand(3, -1, -1).permute(1, 2, 0).numpy()
