"""Write each record of a metric once: a resumed run repeats the steps between its checkpoint and the kill."""

import re
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

Records = set[tuple[str, int]]  # names of metrics and steps


class TensorBoardOnce(TensorBoardLogger):
    """Lightning's TensorBoard logger without the records that an earlier attempt has written.

    Args:
        written: Records of earlier attempts.
        more: Arguments of `TensorBoardLogger`.
    """

    def __init__(self, *, written: Records, **more: Any) -> None:
        super().__init__(**more)
        self.written = written

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        super().log_metrics(missing(metrics, step, self.written), step)


class MLFlowOnce(MLFlowLogger):
    """Lightning's MLflow logger without the records that an earlier attempt has written.

    Args:
        written: Records of earlier attempts.
        more: Arguments of `MLFlowLogger`.
    """

    def __init__(self, *, written: Records, **more: Any) -> None:
        super().__init__(**more)
        self.written = written

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        new = missing(metrics, step, self.written)
        if new:
            super().log_metrics(new, step)


def missing(metrics: Mapping[str, Any], step: int | None, written: Records) -> dict[str, Any]:
    """The metrics that are not among the records.

    >>> missing({"loss": 0.5, "accuracy": 0.9}, 7, {("loss", 7), ("accuracy", 6)})
    {'accuracy': 0.9}
    """
    at = step or 0
    return {
        name: value
        for name, value in metrics.items()
        if (name, at) not in written and (_in_mlflow(name), at) not in written
    }


def _in_mlflow(name: str) -> str:
    return re.sub("[^a-zA-Z0-9_/. -]+", "", name)
