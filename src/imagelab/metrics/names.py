"""Names of metrics and of sets of weights, and which direction is better; needs no torch."""

METRICS = (
    "val/loss",
    "val/accuracy",
    "val/accuracy_macro",
    "val/f1_macro",
    "val/ece",
    "val/accuracy_top5",
    "train/loss",
)


RAW = "raw"  # the weights as the optimizer leaves them, beside which there may be averaged ones


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one.

    >>> lower_is_better("val/loss"), lower_is_better("val/accuracy")
    (True, False)
    """
    return metric.rpartition("/")[2] in ("loss", "ece")


def metric_of(metric: str, weights: str) -> str:
    """The name of a split's metric for one of the sets of weights of a run.

    >>> metric_of("val/accuracy", "raw"), metric_of("val/accuracy", "ema"), metric_of("test", "ema")
    ('val/accuracy', 'val_ema/accuracy', 'test_ema')
    """
    split, slash, name = metric.partition("/")
    return metric if weights == RAW else f"{split}_{weights}{slash}{name}"
