"""Compute schedules that rise and fall; t is the share of completed steps after warm-up."""

import math
from dataclasses import dataclass

from imagelab.schedule.curve import Progress, Schedule


@dataclass(frozen=True, kw_only=True)
class Cyclic(Schedule):
    """low + (high - low) * (1 - |2 u - 1|), u = completed share of the current cycle: one triangle per cycle.

    Source: Smith 2017, https://arxiv.org/abs/1506.01186, section 3.1; "triangular" of torch's CyclicLR.

    Args:
        cycles: Number of equally long cycles in the steps after warm-up, >= 1.
        low: Factor at the ends of a cycle, in [0, high].
        high: Factor in the middle of a cycle, in (0, 1].
    """

    cycles: int
    low: float
    high: float

    def curve(self, at: Progress) -> float:
        share = (at.t * self.cycles) % 1
        return self.low + (self.high - self.low) * (1 - abs(2 * share - 1))


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

    def curve(self, at: Progress) -> float:
        first = 1 / self.div_factor
        last = 1 / (self.div_factor * self.final_div_factor)
        peak = self.pct_start * at.steps - 1
        end = at.steps - 1
        step = min(at.step, end)
        if peak > 0 and step <= peak:
            return _half_cosine(first, 1.0, step / peak)
        return _half_cosine(1.0, last, (step - peak) / (end - peak) if end > peak else 0.0)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
