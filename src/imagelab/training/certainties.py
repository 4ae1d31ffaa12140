"""Measure after each validation how sure each set of weights is, to keep with them in the checkpoint."""

from typing import Any

from imagelab.metrics.certainty import certainty
from imagelab.metrics.names import RAW, metric_of
from imagelab.metrics.table import CLASSES

KEY = "certainty"  # in a checkpoint: set of weights -> `Certainty` as plain data


def certainties(module: Any) -> dict[str, dict[str, Any]]:
    """What val says of each set of weights; nothing if the task predicts no classes or val was not kept.

    Args:
        module: Classifier that has just been validated.
    """
    if module.task.predicts != CLASSES:
        return {}
    found = {}
    for name in (RAW, *module.averages):
        seen = module.seen.get(metric_of("val", name))
        if seen is not None and len(seen[1]):
            outputs, labels = seen
            found[name] = certainty(outputs, module.task.predictions(outputs), labels).to_dict()
    return found
