"""Predict picture files with a set of classes for each, and how unlike the known images it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from imagelab.data.decode import Unreadable
from imagelab.data.labels import SEPARATOR
from imagelab.metrics.certainty import energy
from imagelab.predictor import Predictor, Reading, batch_of
from imagelab.problem import Problem


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
    known = predictor.certainty
    if known is None:
        raise Problem(
            "set: the checkpoint does not say how sure its network is; it must come from a run that predicts "
            "classes, not older than this option, not exported"
        )
    pictures = predictor.read(paths)
    good = [one for one in pictures if not isinstance(one, Unreadable)]
    if not good:
        return [one for one in pictures if isinstance(one, Unreadable)], iter(())
    outputs = predictor.outputs(batch_of(good)).cpu()
    predictions = predictor.task.predictions(outputs).numpy()
    sets = known.sets(predictions, level)
    named = (
        SEPARATOR.join(name for name, there in zip(predictor.classes, mine, strict=True) if there)
        for mine in sets.tolist()
    )
    shares = known.unlike(energy(outputs).numpy()).tolist()
    cells = [[words, f"{share:.3f}"] for words, share in zip(named, shares, strict=True)]
    found = iter(predictions)
    return [one if isinstance(one, Unreadable) else next(found) for one in pictures], iter(cells)
