"""Whether a run is the trial of a sweep that prunes: Optuna is imported only then."""

import os
from typing import Any

from imagelab.sweep.trial import VARIABLE


def pruning(monitor: str, epochs: int) -> list[Any]:
    """The callback that ends a hopeless trial; none for any other run.

    Args:
        monitor: The metric that trials are compared by.
        epochs: Of the run.
    """
    trial = os.environ.get(VARIABLE)
    if not trial:
        return []
    from imagelab.sweep.prune import Prune

    return [Prune(trial=trial, monitor=monitor, epochs=epochs)]
