"""Define what you implement to add a task: both ends of a training, from labels to a report.

Shapes: B images of a batch, N of a split, K numbers of a prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from imagelab.contracts import Inputs

Forward = Callable[..., "Tensor"]
Criterion = Callable[["Tensor", "Tensor"], "Tensor"]


class Task(Protocol):
    """What is learnt from the images; it owns both ends: targets and loss, and what outputs mean.

    `forward` maps images to outputs, with the requested weights; a network that computes its own loss gets
    `targets`, too. Nothing else interprets targets or outputs:
    a softmax, an argmax or a one-hot code belongs in a task, a loss or a metric.

    `predicts`, `takes`, `views`, `measures` and `starts_at_zero` are facts, with defaults in
    `config/facts.py`: write literals. If a task is a module, its buffers, such as the mean of its values, go
    with the weights.

    predicts: What its network predicts: "classes", "tags" or "values", with metrics of the table, or a word
    of your own, with metrics of your own, and the task is a `Predicting` one; empty: nothing, its network is
    a start for others.

    takes: The labels it learns from, which the data set must have: "class", one class per image;
    "multilabel", several; "values"; "boxes"; empty: none. views: How often a batch shows each image,
    augmented anew each time. measures: Metrics of its own, the most informative first, and their better
    direction, such as {"mae": "lower"}; `metrics` computes them.
    starts_at_zero: Whether the head's bias starts at 0, as for outputs that are standardised values.
    kept: Number of values that `outputs` keeps per image (for example the number of classes).
    """

    predicts: str
    takes: str
    views: int
    kept: int

    def head(self, features: int) -> nn.Module | None:
        """A layer that takes this many features and replaces the network's last one; None keeps that one."""
        ...

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """Targets of the loss, (B, ...), from the labels of `Images`; float if they are to be mixed."""
        ...

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """Targets (B, ...) in words, for pictures of training images; "" if there is nothing to say."""
        ...

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """The loss of a training batch, a scalar; all draws are torch's."""
        ...

    def correct(self, outputs: Tensor, batch: Inputs) -> Tensor | None:
        """Which images of a training batch are classified correctly, (B,) bool; None: it has no classes.

        outputs: Outputs of `forward` for the batch, from the call in `loss`.
        """
        ...

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """What metrics need of a batch of val or test, no draws: (B, kept) float, and labels (B, ...)."""
        ...

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Metrics by name, from the outputs and labels kept for a whole split; one of them is `loss`."""
        ...


@runtime_checkable
class Fits(Protocol):
    """What a task also has, a module, if it fits numbers, such as thresholds, to each validation."""

    def fit(self, outputs: Tensor, labels: Tensor) -> None:
        """Set its buffers by the outputs (N, kept) and labels of a split; `metrics` then uses them."""
        ...

    def named_buffers(self, *, recurse: bool) -> Iterator[tuple[str, Tensor]]:
        """Those of `nn.Module`."""
        ...


@runtime_checkable
class Predicting(Protocol):
    """What a task also has if its network predicts something.

    names: Names of the K numbers of a prediction, such as the classes.
    columns: Names of the cells of `summary`, in the table that `imagelab predict` writes.
    report: Dotted path of a function that makes the parts of a report on images (`reports/image_parts.py`);
    empty: a report has none. A path, since training imports no reports.
    """

    names: list[str]
    columns: tuple[str, ...]
    report: str  # room: reports

    def predictions(self, outputs: Tensor) -> Tensor:
        """Outputs (..., K) -> probabilities or values, (..., K) float32: what is shown and averaged."""
        ...

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Outputs that stand for predictions (..., K), such as means: what `metrics` takes."""
        ...

    def decisions(self, predictions: Tensor) -> Tensor:
        """Predictions (..., K) -> the predicted classes, (...) int64, or the values themselves."""
        ...

    def wording(self, decision: Any) -> str:
        """A label or a decision in words: a class, int, by its name; values, a list of floats, as numbers."""
        ...

    def summary(self, prediction: Tensor) -> list[str]:
        """The cells of `columns` for one prediction, (K,)."""
        ...

    def calibration(self, outputs: Tensor, labels: Tensor) -> dict[str, Any] | None:
        """How far probabilities can be trusted, from the outputs of a split; None: it predicts none."""
        ...


@runtime_checkable
class Placing(Protocol):
    """What a task also has if its predictions lie at places of the image, in pixels of the network's input.

    writes: Dotted path of the function by which `imagelab predict` writes what is found in files, such as
    `evaluation/box_files.py`.
    fields: Names of the numbers of a row. most: Number of rows of a prediction.
    """

    writes: str
    fields: tuple[str, ...]
    most: int

    def scaled(self, predictions: Tensor, factor: float) -> Tensor:
        """Predictions (B, ...) in pixels of an image that is larger by this factor."""
        ...

    def mirrored(self, predictions: Tensor, width: int) -> Tensor:
        """Predictions (B, ...) in pixels of an image of this width, as they lie in its mirror image."""
        ...

    def fused(self, predictions: Tensor) -> Tensor:
        """Predictions (V, B, ...) of V networks, or of V views of an image, as one: (B, ...)."""
        ...

    def renamed(self, predictions: Tensor, order: list[int]) -> Tensor:
        """Predictions (B, ...) with other numbers of the classes: that of `order[i]` becomes i."""
        ...

    # room: exporting
    def apart(self, found: np.ndarray, given: np.ndarray, side: int) -> float:
        """The largest difference of predictions (B, ...) of two forms; places as shares of `side`."""
        ...

    # end
    def found(self, prediction: np.ndarray, width: int, height: int) -> Any:
        """A prediction in pixels of an image of this width and height, as users get it."""
        ...
