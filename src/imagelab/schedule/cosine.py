"""Compute schedules made of cosines; t is the share of completed steps after warm-up."""

import math
from dataclasses import dataclass

from imagelab.randomness import stream
from imagelab.schedule.curve import Progress, Schedule


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """(1 + cos(pi t)) / 2.

    >>> from imagelab.training.step_plan import StepPlan
    >>> cosine = Cosine(warmup=0, floor=0)
    >>> [round(cosine.scale(step, StepPlan(batches=2, windows=[1, 1], images=8)), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5, one cycle.
    """

    def curve(self, at: Progress) -> float:
        return (1 + math.cos(math.pi * at.t)) / 2


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Schedule):
    """SGDR: a cosine from 1 to 0 within each cycle, then the peak again.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5; as torch's
    CosineAnnealingWarmRestarts.

    Args:
        first_cycle: Length of the first cycle as a share of the steps after warm-up, in (0, 1].
        multiplier: Length of each further cycle over that of the one before, >= 1.
    """

    has_cycles = True

    first_cycle: float
    multiplier: float

    def curve(self, at: Progress) -> float:
        return (1 + math.cos(math.pi * self._cycle(at.t)[1])) / 2

    def cycles(self, t: float) -> float:
        """The number of completed cycles at t, fractional."""
        return sum(self._cycle(t))

    def _cycle(self, t: float) -> tuple[int, float]:
        """The number of completed cycles at t, and the completed share of the current one."""
        done = 0
        start = 0.0
        length = self.first_cycle
        while t >= start + length - 1e-12:  # sums of shares are off by a rounding
            done += 1
            start += length
            length *= self.multiplier
        return done, max(t - start, 0.0) / length


@dataclass(frozen=True, kw_only=True)
class LinearCosine(Schedule):
    """(alpha + 1 - t) * (1 + cos(2 pi periods t)) / 2 + beta.

    It begins at 1 + alpha + beta, a little above the peak rate.

    Source: Bello et al. 2017, https://arxiv.org/abs/1709.07417, section 4.4; constants as in TensorFlow's
    linear_cosine_decay.

    Args:
        periods: Periods of the cosine, > 0; at 0.5 it falls once.
        alpha: Constant added to the linear term, >= 0.
        beta: Constant added to the whole, >= 0, which remains at the end.
    """

    periods: float
    alpha: float
    beta: float

    def curve(self, at: Progress) -> float:
        return (self.alpha + self.linear(at)) * (
            1 + math.cos(2 * math.pi * self.periods * at.t)
        ) / 2 + self.beta

    def linear(self, at: Progress) -> float:
        """The linear term, in [0, 1]."""
        return 1 - at.t


@dataclass(frozen=True, kw_only=True)
class NoisyLinearCosine(LinearCosine):
    """linear_cosine with N(0, variance / (1 + step)^decay) added to 1 - t, which is then clipped to [0, 1].

    So the factor never exceeds the one with which linear_cosine begins, nor falls below beta. The noise of
    a step is a pure function of (seed, step), steps being counted after warm-up.

    Source: Bello et al. 2017, https://arxiv.org/abs/1709.07417, section 4.4; constants as in TensorFlow's
    noisy_linear_cosine_decay.

    Args:
        variance: Variance of the noise at the first step, >= 0.
        decay: Exponent of the fall of the variance, >= 0.
        seed: Seed of the noise.
    """

    variance: float
    decay: float
    seed: int

    def linear(self, at: Progress) -> float:
        spread = math.sqrt(self.variance / (1 + at.step) ** self.decay)
        noise = spread * float(stream(self.seed, "schedule", at.step).standard_normal())
        return min(max(1 - at.t + noise, 0.0), 1.0)
