"""Lists all metrics: name, which direction is better, when there is one, what computes it; needs no torch.

A row is all that a metric takes besides its function: `monitor`, the progress bar, `evaluate`, reports and
sweeps read their names from here. A task outside this package brings rows of its own (`contracts.Task`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

CLASSES = "classes"  # what most networks predict (`predicts` of a task)
TAGS = "tags"  # what `task=multilabel` predicts: for each class, whether an image has it
VALUES = "values"  # what `task=regress` predicts
BOXES = "boxes"  # what `task=detect` predicts  # room: detection
LOSS = "loss"  # the metric that every task has, and computes itself
ACCURACY = "accuracy"  # the one that training measures too, where the task says what is correct


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A row of the table.

    Args:
        name: Name of the metric, without that of the split.
        better: Which direction is better.
        of: What the network predicts (`Task.predicts`) where there is this metric; empty: every task has it.
        function: Dotted path of the function that computes it; empty: the task does.
        counts_images: Whether it is the share of images that are right, which has a binomial interval.
        above_classes: Number of classes above which there is this metric.
    """

    name: str
    better: Literal["higher", "lower"]
    of: str = field(default="")
    function: str = field(default="")
    counts_images: bool = field(default=False)
    above_classes: int = field(default=0)


OF_CLASSES = "imagelab.metrics.classification"
OF_TAGS = "imagelab.metrics.tags"
OF_VALUES = "imagelab.metrics.regression"
METRICS = (
    Metric(
        name=ACCURACY,
        better="higher",
        of=CLASSES,
        function=f"{OF_CLASSES}.accuracy",
        counts_images=True,
    ),
    Metric(name="accuracy_macro", better="higher", of=CLASSES, function=f"{OF_CLASSES}.accuracy_macro"),
    Metric(name="f1_macro", better="higher", of=CLASSES, function=f"{OF_CLASSES}.f1_macro"),
    Metric(name="ece", better="lower", of=CLASSES, function=f"{OF_CLASSES}.ece"),
    Metric(
        name="accuracy_top5",
        better="higher",
        of=CLASSES,
        function=f"{OF_CLASSES}.accuracy_top5",
        above_classes=10,
    ),
    Metric(name="ap_macro", better="higher", of=TAGS, function=f"{OF_TAGS}.ap_macro"),
    Metric(name="f1_macro", better="higher", of=TAGS),  # at thresholds, which the task has
    Metric(name="subset_accuracy", better="higher", of=TAGS, counts_images=True),
    Metric(name="r2", better="higher", of=VALUES, function=f"{OF_VALUES}.r2"),
    Metric(name="mae", better="lower", of=VALUES, function=f"{OF_VALUES}.mae"),
    Metric(name="rmse", better="lower", of=VALUES, function=f"{OF_VALUES}.rmse"),
    Metric(name="ap", better="higher", of=BOXES),  # room: detection
    Metric(name="ap50", better="higher", of=BOXES),  # room: detection
    Metric(name="ap75", better="higher", of=BOXES),  # room: detection
    Metric(name="ap_small", better="higher", of=BOXES),  # room: detection
    Metric(name="ap_medium", better="higher", of=BOXES),  # room: detection
    Metric(name="ap_large", better="higher", of=BOXES),  # room: detection
    Metric(name="recall", better="higher", of=BOXES),  # room: detection
    Metric(name=LOSS, better="lower"),
)


def rows_of(predicts: str, own: Iterable[Metric] = ()) -> tuple[Metric, ...]:
    """The metrics of a task, the most telling one first, the loss last.

    Args:
        predicts: What its network predicts: "classes"; empty: nothing.
        own: Rows that the task brings itself.

    >>> [row.name for row in rows_of("")], rows_of("classes")[0].name
    (['loss'], 'accuracy')
    """
    return (*own, *(row for row in METRICS if row.of in ("", predicts)))


def row_of(metric: str, rows: Iterable[Metric] = METRICS) -> Metric:
    """The row of a metric, with or without the name of a split before it.

    >>> row_of("val/accuracy_top5").above_classes
    10

    Raises:
        KeyError: There is none.
    """
    return {row.name: row for row in rows}[metric.rpartition("/")[2]]


def lower_is_better(metric: str, rows: Iterable[Metric] = METRICS) -> bool:
    """Whether a smaller value of a metric is the better one.

    >>> lower_is_better("val/loss"), lower_is_better("val/accuracy")
    (True, False)
    """
    return row_of(metric, rows).better == "lower"
