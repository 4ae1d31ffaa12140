"""State the range of every number that the config gives to several classes or to a library.

Augmentations, tricks, schedules and strategies check their own numbers; no number may be nan or infinite.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from imagelab.config.schema import Node


class Range(NamedTuple):
    """The numbers that a key takes, in words, and its limits: `above` and `below` are left out themselves."""

    words: str
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a number is in the range."""
        ends = value < self.below or math.isinf(self.below)
        return self.least <= value <= self.most and self.above < value and ends


def at_least(least: int) -> Range:
    """The range from a number on, such as 1 or more."""
    return Range(f"{least} or more", least=least)


ABOVE_0 = Range("a number above 0", above=0)
BETWEEN = Range("a fraction between 0 and 1", above=0, below=1)
SHARE = Range("a number in [0, 1)", least=0, below=1)
DROPPED = Range("a probability in [0, 1), or null", least=0, below=1)
PART = Range("more than 0", above=0)
RANGES = {
    "seed": at_least(0),
    "save_every": Range("0 or more", least=0),
    "save_top": at_least(1),
    "annotate": at_least(1),
    "port": Range("0 to 65535", least=0, most=65535),
    "data.batch_size": at_least(1),
    "data.workers": at_least(0),
    "data.size": at_least(1),
    "data.limit": at_least(1),
    "data.train_limit": PART,
    "data.folds": at_least(2),
    "data.fold": at_least(0),
    "data.max_pixels": at_least(1),
    "data.val_fraction": BETWEEN,
    "data.test_fraction": BETWEEN,
    "model.slope": SHARE,
    "model.pool_ratio": Range("a ratio between 1 and 2", above=1, below=2),
    "model.width": at_least(1),
    "model.widths": at_least(1),
    "model.kernel_size": at_least(1),
    "model.logit_scale": ABOVE_0,
    "model.dropout": DROPPED,
    "model.dropout2d": DROPPED,
    "model.stochastic_depth": DROPPED,
    "loss.label_smoothing": SHARE,
    "loss.gamma": at_least(0),
    "loss.delta": ABOVE_0,
    "optimizer.lr": ABOVE_0,
    "optimizer.lr_base_batch": at_least(1),
    "optimizer.weight_decay": at_least(0),
    "optimizer.momentum": SHARE,
    "optimizer.betas": SHARE,
    "optimizer.alpha": SHARE,
    "optimizer.eps": at_least(0),
    "optimizer.lr_decay": at_least(0),
    "optimizer.momentum_decay": at_least(0),
    "optimizer.initial_accumulator_value": at_least(0),
    "optimizer.trust_coeff": ABOVE_0,
    "optimizer.max_grad_norm": ABOVE_0,
    "optimizer.fallback_lr_scale": ABOVE_0,
    "optimizer.ns_steps": at_least(1),
    "optimizer.max_iter": at_least(1),
    "optimizer.max_eval": at_least(1),
    "optimizer.history_size": at_least(1),
    "optimizer.tolerance_grad": at_least(0),
    "optimizer.tolerance_change": at_least(0),
    "launcher.jobs": at_least(1),  # room: sweep
    "launcher.minutes": at_least(1),  # room: sweep
    "launcher.nodes": at_least(1),  # room: sweep
    "launcher.processes": at_least(1),  # room: sweep
    "launcher.gpus": at_least(0),  # room: sweep
    "launcher.cpus": at_least(1),  # room: sweep
    "launcher.memory": ABOVE_0,  # room: sweep
    "sweep.seed": at_least(0),  # room: sweep
    "sweep.startup": at_least(0),  # room: sweep
    "sweep.patience": at_least(0),  # room: sweep
    "sweep.folds": at_least(2),  # room: sweep
    "sweep.trials": at_least(1),  # room: sweep
    "sweep.points": at_least(1),  # room: sweep
    "sweep.epochs": at_least(1),  # room: sweep
    "sweep.seeds": at_least(2),  # room: sweep
    "sweep.sizes": at_least(1),  # room: sweep
    "sweep.shares": PART,  # room: sweep
    "sweep.worth": ABOVE_0,  # room: sweep
    "trainer.devices": at_least(-1),
    "trick.early_stopping.min_delta": at_least(0),
    "schedule.midpoint": Range("a share of the run in [0, 1]", least=0, most=1),
    "trainer.max_epochs": at_least(1),
    "trainer.num_nodes": at_least(1),
    "trainer.num_sanity_val_steps": at_least(-1),
    "trainer.accumulate_grad_batches": at_least(1),
    "trainer.log_every_n_steps": at_least(1),
    "trainer.limit_train_batches": PART,
    "trainer.limit_val_batches": PART,
    "trainer.limit_test_batches": PART,
    "trainer.gradient_clip_val": PART,
}
REQUIRED = ("optimizer.lr",)


def numbers_are_in_range(cfg: Node) -> Iterator[str]:
    """One sentence for each number outside its range."""
    for path, wanted in RANGES.items():
        value = _value(cfg, path)
        given = value if isinstance(value, list) else [value]
        numbers = [one for one in given if isinstance(one, int | float) and not isinstance(one, bool)]
        if not all(map(wanted.holds, numbers)):
            yield f"{path}: wants {wanted.words}{' for each' * (given is value)}, got {value}"
        elif value is None and path in REQUIRED:
            yield f"{path}: wants {wanted.words}, got nothing"


def _value(cfg: Node, path: str) -> object:
    """The value at a path such as trick.ema.decay; None if a part of the path is not there."""
    found: object = cfg
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found
