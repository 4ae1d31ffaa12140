"""Learning-rate schedules: the factor on every group's peak rate, a pure function of the optimizer step.

The steps of a run are counted 0 ... total - 1. With w steps of warm-up, step s < w runs at (s + 1) / (w + 1)
of the rate with which the curve begins. The curve covers the other steps with t = (s - w) / (total - w): 0 at
its first, one step short of 1 at its last, so that no step is lost at a rate of 0 (as torch's
CosineAnnealingLR). `OneCycle` alone reaches its end on the last step, as torch's OneCycleLR does.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imagelab.problem import Problem


class Progress(NamedTuple):
    """Where a run is when it takes a step.

    t: share of the steps after warm-up that are done, in [0, 1]. step, steps: how many are done, of how many.
    run: share of the whole run that is done, in [0, 1]. epoch: epochs of it that are done, fractional.
    """

    t: float
    step: int
    steps: int
    run: float
    epoch: float


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A curve with a linear warm-up before it and a floor under it; a child says only the curve.

    Args:
        warmup: Share of the run in [0, 1), or a whole number of optimizer steps >= 1.
        floor: Lowest factor of the curve, in [0, 1]: the factor is floor + (1 - floor) * curve.
    """

    warmup: float | int
    floor: float

    def __post_init__(self) -> None:
        if self.warmup < 0 or (self.warmup >= 1 and self.warmup != int(self.warmup)):
            raise Problem(
                f"schedule.warmup is a share in [0, 1) or a whole number of steps, not {self.warmup}."
            )
        _check("floor", self.floor, 0 <= self.floor <= 1, "in [0, 1]")

    @abstractmethod
    def curve(self, at: Progress) -> float:
        """The factor before floor and warm-up, in [0, 1]."""

    def factor(self, step: int, total_steps: int, steps_per_epoch: float) -> float:
        """The factor on the peak rate at this optimizer step, in [0, 1].

        Args:
            step: Optimizer steps done before this one; the last of a run is total_steps - 1.
            total_steps: Optimizer steps of the whole run, >= 1.
            steps_per_epoch: Optimizer steps of an epoch, > 0.
        """
        warmup = self.warmup_steps(total_steps)
        reached = max(step, warmup)
        at = _progress(reached, warmup, total_steps, steps_per_epoch)
        ramp = (step + 1) / (warmup + 1) if step < warmup else 1.0
        return ramp * (self.floor + (1 - self.floor) * self.curve(at))

    def warmup_steps(self, total_steps: int) -> int:
        """Optimizer steps of warm-up in a run of so many."""
        return round(self.warmup * total_steps) if self.warmup < 1 else int(self.warmup)


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """1."""

    def curve(self, at: Progress) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Multistep(Schedule):
    """gamma^(milestones passed).

    Args:
        milestones: Shares of the whole run, warm-up included, each in [0, 1].
        gamma: Factor at each milestone, in (0, 1].
    """

    milestones: Sequence[float]
    gamma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for milestone in self.milestones:
            _check("milestones", milestone, 0 <= milestone <= 1, "shares of the run in [0, 1]")
        _check("gamma", self.gamma, 0 < self.gamma <= 1, "in (0, 1]")

    def curve(self, at: Progress) -> float:
        return self.gamma ** sum(at.run >= milestone for milestone in self.milestones)


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """(1 + cos(pi t)) / 2.

    >>> cosine = Cosine(warmup=0, floor=0)
    >>> [round(cosine.factor(step, total_steps=4, steps_per_epoch=2), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5, one cycle.
    """

    def curve(self, at: Progress) -> float:
        return (1 + math.cos(math.pi * at.t)) / 2


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """Half a cosine up from 1 / div_factor to 1, half a cosine down to 1 / (div_factor * final_div_factor).

    Source: Smith & Topin 2018, https://arxiv.org/abs/1708.07120; steps and names as in torch's OneCycleLR.

    Args:
        pct_start: Share of the steps spent on the way up, in [0, 1].
        div_factor: Peak rate over first rate, >= 1.
        final_div_factor: First rate over last rate, >= 1.
    """

    pct_start: float
    div_factor: float
    final_div_factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("pct_start", self.pct_start, 0 <= self.pct_start <= 1, "in [0, 1]")
        _check("div_factor", self.div_factor, self.div_factor >= 1, ">= 1")
        _check("final_div_factor", self.final_div_factor, self.final_div_factor >= 1, ">= 1")

    def curve(self, at: Progress) -> float:
        first, last = 1 / self.div_factor, 1 / (self.div_factor * self.final_div_factor)
        peak, end = self.pct_start * at.steps - 1, at.steps - 1
        step = min(at.step, end)
        if peak > 0 and step <= peak:
            return _half_cosine(first, 1.0, step / peak)
        return _half_cosine(1.0, last, (step - peak) / (end - peak) if end > peak else 0.0)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _progress(step: int, warmup: int, total: int, per_epoch: float) -> Progress:
    steps = max(total - warmup, 1)
    done = min(step - warmup, steps)
    return Progress(done / steps, done, steps, min(step / total, 1.0), step / per_epoch)


def _check(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise Problem(f"schedule.{name} is {expected}, not {value}.")
