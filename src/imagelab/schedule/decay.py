"""Compute schedules that only fall: by steps, by epochs, or over the whole run.

t is the share of the steps after warm-up that are done, e the epochs since warm-up, both fractional.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imagelab.schedule.curve import Progress, Schedule


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """1."""

    def curve(self, at: Progress) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """gamma^floor(epoch / every); epochs are counted from the start of the run, warm-up included.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 3.4; as torch's StepLR.

    Args:
        every: Epochs between two drops, > 0.
        gamma: Factor at each drop, in (0, 1].
    """

    every: float
    gamma: float

    def curve(self, at: Progress) -> float:
        return self.gamma ** math.floor(at.epoch / self.every)


@dataclass(frozen=True, kw_only=True)
class Multistep(Schedule):
    """gamma^(milestones passed).

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2; as torch's MultiStepLR.

    Args:
        milestones: Shares of the whole run, warm-up included, each in [0, 1].
        gamma: Factor at each milestone, in (0, 1].
    """

    milestones: Sequence[float]
    gamma: float

    def curve(self, at: Progress) -> float:
        return self.gamma ** sum(at.run >= milestone for milestone in self.milestones)


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """gamma^e.

    Source: as torch's ExponentialLR, https://pytorch.org/docs/stable/optim.html, but smooth within an epoch.

    Args:
        gamma: Factor per epoch, in (0, 1].
    """

    gamma: float

    def curve(self, at: Progress) -> float:
        return self.gamma**at.e


@dataclass(frozen=True, kw_only=True)
class InverseTime(Schedule):
    """1 / (1 + decay * e).

    Source: Robbins & Monro 1951, https://doi.org/10.1214/aoms/1177729586; as Keras's InverseTimeDecay.

    Args:
        decay: Speed of the fall, >= 0: after 1 / decay epochs the rate is halved.
    """

    decay: float

    def curve(self, at: Progress) -> float:
        return 1 / (1 + self.decay * at.e)


@dataclass(frozen=True, kw_only=True)
class Inverse(Schedule):
    """(1 + gamma * step)^-power.

    Source: Jia et al. 2014, https://arxiv.org/abs/1408.5093: the policy "inv" of Caffe's solver, whose
    examples have a gamma of 1e-4 and a power of 0.75.

    Args:
        gamma: Speed of the fall per step, >= 0.
        power: Exponent, > 0.
    """

    gamma: float
    power: float

    def curve(self, at: Progress) -> float:
        return (1 + self.gamma * at.step) ** -self.power


@dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    """1 / sqrt(1 + e).

    Source: Zinkevich 2003, https://www.cs.cmu.edu/~maz/publications/techconvex.pdf, section 2.
    """

    def curve(self, at: Progress) -> float:
        return 1 / math.sqrt(1 + at.e)


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """(1 - t)^power.

    Source: Liu et al. 2015, https://arxiv.org/abs/1506.04579, section 3.3; as torch's PolynomialLR.

    Args:
        power: Exponent, > 0; 1 is `linear`, larger ones fall earlier.
    """

    power: float

    def curve(self, at: Progress) -> float:
        return (1 - at.t) ** self.power


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """1 - t.

    Source: as torch's LinearLR from 1 to 0, https://pytorch.org/docs/stable/optim.html; Li et al. 2020,
    https://arxiv.org/abs/1905.04753.
    """

    def curve(self, at: Progress) -> float:
        return 1 - at.t


@dataclass(frozen=True, kw_only=True)
class Sigmoid(Schedule):
    """1 / (1 + exp(steepness * (t - midpoint))).

    Source: Hsueh et al. 2019, https://arxiv.org/abs/1806.01593, equation 3: its (L, U) is here a steepness of
    2 (U - L) with its midpoint at -L / (U - L).

    Args:
        steepness: Steepness of the fall, > 0.
        midpoint: Point at which the rate is halved, as a share of the steps after warm-up.
    """

    steepness: float
    midpoint: float

    def curve(self, at: Progress) -> float:
        # The same as the quotient of the docstring, which overflows where it is steep.
        return (1 - math.tanh(self.steepness * (at.t - self.midpoint) / 2)) / 2
