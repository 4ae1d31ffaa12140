"""Names the metrics of each set of weights of a run; needs no torch."""

RAW = "raw"  # the weights as the optimizer leaves them, beside which there may be averaged ones


def metric_of(metric: str, weights: str) -> str:
    """The name of a split's metric for one of the sets of weights of a run.

    >>> metric_of("val/accuracy", "raw"), metric_of("val/accuracy", "ema"), metric_of("test", "ema")
    ('val/accuracy', 'val_ema/accuracy', 'test_ema')
    """
    split, slash, name = metric.partition("/")
    return metric if weights == RAW else f"{split}_{weights}{slash}{name}"
