"""Predict picture files with a set of classes for each, and how unlike the known images it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from imagelab.data.decode import Unreadable
from imagelab.data.labels import SEPARATOR
from imagelab.metrics.certainty import Certainty, energy
from imagelab.predictor import Predictor, Reading, batch_of
from imagelab.problem import Problem


class Judged(NamedTuple):
    """What is said of B images.

    predictions: (B, K). sets: Names of the classes in each set. unlike: `Certainty.unlike` of each. far:
    `Nearness.unlike` of each; None if the checkpoint does not hold what it needs.
    """

    predictions: np.ndarray
    sets: list[list[str]]
    unlike: list[float]
    far: list[float] | None


def judge(predictor: Predictor, images: Tensor, level: float, signals: Tensor | None = None) -> Judged:
    """Predict images with a set of classes for each.

    Args:
        predictor: Network of a run that predicts classes.
        images: Images as the reader returns them, (B, 3, H, W) uint8.
        level: Probability with which the true class should be in the set.
        signals: What the network sees besides the images, (B, S) float32; None: nothing.

    Raises:
        Problem: The checkpoint does not say how sure the network is.
    """
    known = certainty_of(predictor)
    outputs, features = _outputs_and_features(predictor, images, signals)
    predictions = predictor.task.predictions(outputs).numpy()
    sets = [
        [name for name, there in zip(predictor.classes, mine, strict=True) if there]
        for mine in known.sets(predictions, level).tolist()
    ]
    near = predictor.nearness
    far = None if near is None or features is None else near.unlike(features).tolist()
    return Judged(predictions, sets, known.unlike(energy(outputs).numpy()).tolist(), far)


def certainty_of(predictor: Predictor) -> Certainty:
    """What the checkpoint says of how sure the network is.

    Raises:
        Problem: It says nothing.
    """
    if predictor.certainty is None:
        raise Problem(
            "set: the checkpoint does not say how sure its network is; it must come from a run that predicts "
            "one class per image, not older than this option, not exported"
        )
    return predictor.certainty


def judged(
    predictor: Predictor, paths: Sequence[Path], level: float
) -> tuple[list[Reading], Iterator[list[str]]]:
    """The prediction for each file or its error, and for each readable file its set and unlikeness, as cells.

    Args:
        predictor: Network of a run that predicts classes.
        paths: Picture files.
        level: Probability with which the true class should be in the set.

    Raises:
        Problem: The checkpoint does not say how sure the network is.
    """
    pictures = predictor.read(paths)
    good = [one for one in pictures if not isinstance(one, Unreadable)]
    if not good:
        return [one for one in pictures if isinstance(one, Unreadable)], iter(())
    signals = predictor.signals_of(paths, pictures)
    predictions, sets, shares, far = judge(predictor, batch_of(good), level, signals)
    distant = [""] * len(good) if far is None else [f"{share:.3f}" for share in far]
    cells = [
        [SEPARATOR.join(mine), f"{share:.3f}", words]
        for mine, share, words in zip(sets, shares, distant, strict=True)
    ]
    found = iter(predictions)
    return [one if isinstance(one, Unreadable) else next(found) for one in pictures], iter(cells)


def _outputs_and_features(
    predictor: Predictor, images: Tensor, signals: Tensor | None
) -> tuple[Tensor, np.ndarray | None]:
    """Outputs, and features if there are known ones to compare them with."""
    if predictor.nearness is None:
        return predictor.outputs(images, signals).cpu(), None
    outputs, features = predictor.outputs_and_features(images, signals)
    return outputs.cpu(), features.float().cpu().numpy()
