"""Suggest a learning rate from the losses of a range test, and find where training diverges.

Source: minimum/10, steepest and valley as in fastai,
https://github.com/fastai/fastai/blob/main/fastai/callback/schedule.py
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imagelab.metrics.smoothing import smooth

Numbers = NDArray[np.float64]
WIDTH = 0.02  # standard deviation of the smoothing, as a share of the steps: 2 of 100
QUIET = 0.2  # share of the steps, from the first, whose rates are too small to change the loss
SHARE = 0.8  # share of its fall that the loss has made at the suggested rate
MARGIN = 4.0  # least factor between the suggested rate and the one where training diverges
SEEN = 4.0  # standard errors that the loss must fall by
BACK = 0.9  # share of its fall that the loss has lost again where training diverges
LEAST = 6  # fewest finite losses in which a trend can be seen
ABOVE = 1.5  # factor on the initial loss where training diverges, if the network did not learn


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The result of a range test: the loss before the step at each rate.

    Args:
        rates: Learning rates in equal, rising ratios, as values of `optimizer.lr`.
        losses: Loss before the step at each rate; the last one may be non-finite.
        steps: Number of rates planned; fewer were tested if training diverged.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    steps: int

    @property
    def width(self) -> float:
        """Standard deviation of the smoothing, in steps."""
        return WIDTH * self.steps

    @property
    def quiet(self) -> Numbers:
        """The finite losses at rates too small to change them: they differ only by their batches."""
        losses = np.asarray(self.losses[: max(2, round(QUIET * self.steps))], dtype=float)
        return losses[np.isfinite(losses)]

    @property
    def usable(self) -> bool:
        """Whether there are enough finite losses to judge by, among them the first ones."""
        return len(self.quiet) > 1 and int(np.isfinite(self.losses).sum()) >= LEAST

    @property
    def most(self) -> float:
        """The largest loss that is shown, and that larger ones count as."""
        return 2 * float(self.quiet.max()) if len(self.quiet) else 0.0

    @property
    def start(self) -> float:
        """The loss before the network has learnt anything; NaN if none of the first is finite."""
        return float(self.quiet.mean()) if len(self.quiet) else math.nan

    @cached_property
    def smooth(self) -> Numbers:
        """The losses, smoothed over batches, at the same rates."""
        return smooth(capped(self.losses, self.most), self.width)

    @property
    def lowest(self) -> int:
        """The index of the smallest smoothed loss."""
        return int(self.smooth.argmin())

    @property
    def fall(self) -> float:
        """How far the loss falls below its start."""
        return max(0.0, self.start - float(self.smooth[self.lowest]))

    @property
    def error(self) -> float:
        """Standard error of a smoothed loss: the smoothing averages over 2 sqrt(pi) widths."""
        if len(self.quiet) < 2:
            return math.inf
        return float(self.quiet.std(ddof=1)) / np.sqrt(2 * np.sqrt(np.pi) * self.width)

    @property
    def seen(self) -> float:
        """The fall in standard errors, which says whether the network learnt; 0 if too few are finite."""
        if not self.usable:
            return 0.0
        return self.fall / max(self.error, 1e-12 * max(abs(self.start), 1e-300))


def capped(losses: Sequence[float], most: float) -> Numbers:
    """The losses, at most `most`, also if non-finite: a loss of 1e9 would hide all others."""
    return np.nan_to_num(
        np.minimum(np.nan_to_num(np.asarray(losses, dtype=float), nan=most), most), neginf=most
    )


def suggested(curve: Curve) -> float | None:
    """The rate at which the loss has made most of its fall, well below divergence; None without learning."""
    if curve.seen < SEEN:
        return None
    level = curve.start - SHARE * curve.fall
    limit = diverges(curve)
    rate = _crossing(curve, int(np.argmax(curve.smooth <= level)), level)
    return rate if limit is None else min(rate, limit / MARGIN)


def diverges(curve: Curve) -> float | None:
    """The rate from which the loss stays at or above its start; None if it does not.

    A loss that falls again was only noisy: batches differ more once the network has learnt something.
    """
    if curve.seen < SEEN:
        first = 0
        level = ABOVE * curve.start
    else:
        first = curve.lowest
        level = curve.start - (1 - BACK) * curve.fall
    below = np.flatnonzero(curve.smooth < level)
    place = max(first, int(below[-1]) + 1) if len(below) else first
    if place < len(curve.rates):
        return float(curve.rates[place])
    return None if np.isfinite(curve.losses[-1]) else float(curve.rates[-1])


def steepest(curve: Curve) -> float:
    """The rate at which the smoothed loss falls fastest per log rate, before its lowest point."""
    if len(curve.rates) < 2:
        return float(curve.rates[0])
    slopes = np.gradient(curve.smooth)[: curve.lowest + 1]
    return float(curve.rates[int(slopes.argmin())])


def minimum_tenth(curve: Curve) -> float:
    """A tenth of the rate at which the smoothed loss is lowest."""
    return float(curve.rates[curve.lowest]) / 10


def valley(curve: Curve) -> float:
    """The rate halfway along the longest falling sequence of smoothed losses, gaps allowed.

    As in fastai, the first tenth of the rates and the last five do not count, unless there are no others.
    """
    if len(curve.rates) < LEAST:
        return float(curve.rates[curve.lowest])
    first = len(curve.rates) // 10
    losses, rates = curve.smooth[first:-5], curve.rates[first:-5]
    length = np.ones(len(losses), dtype=int)
    for place in range(1, len(losses)):
        higher = losses[:place] > losses[place]
        length[place] = 1 + int(length[:place][higher].max()) if higher.any() else 1
    end = int(length.argmax())
    begin = max(0, end - int(length[end]))
    third = (end - begin) / 3
    return float(rates[begin + int(third) + int(third / 2)])


def _crossing(curve: Curve, place: int, level: float) -> float:
    """The rate at which the smoothed loss crosses a level, interpolated between `place` - 1 and `place`."""
    if place == 0:
        return float(curve.rates[0])
    before = curve.smooth[place - 1]
    after = curve.smooth[place]
    share = float((before - level) / (before - after))
    low = np.log(curve.rates[place - 1])
    high = np.log(curve.rates[place])
    return float(np.exp(low + share * (high - low)))
