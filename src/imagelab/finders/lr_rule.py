"""What the losses of a range test say: which learning rate to take, and where training diverges.

Source: minimum/10, steepest and valley as fastai has them,
https://github.com/fastai/fastai/blob/main/fastai/callback/schedule.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
WIDTH = 0.02  # standard deviation of the smoothing, as a share of the steps: 2 of 100
QUIET = 0.2  # share of the steps, the first ones, whose rates are too small to change anything
SHARE = 0.8  # of its whole fall that the loss has made at the rate to take
MARGIN = 4.0  # the rate from which on training diverges is at least so many times larger
SEEN = 4.0  # standard errors that it has to fall by
BACK = 0.9  # of its whole fall that the loss has lost again where training diverges
ABOVE = 1.5  # times its start: where the loss is then, if no learning was seen


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A range test: the loss before a step at each rate.

    Args:
        rates: Rising in equal ratios, as `optimizer.lr` counts them.
        losses: As many; the last one may be no number.
        steps: How many rates there would have been, had training not diverged.
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
        """The losses at rates that are too small to change anything: they differ by their batches alone."""
        return np.asarray(self.losses[: max(2, round(QUIET * self.steps))], dtype=float)

    @property
    def start(self) -> float:
        """The loss before anything has been learnt."""
        return float(self.quiet.mean())

    @cached_property
    def smooth(self) -> Numbers:
        """The losses without what differs from batch to batch, at the same rates."""
        return smoothed(capped(self.losses, 2 * float(self.quiet.max())), self.width)

    @property
    def lowest(self) -> int:
        """The place of the smallest smoothed loss."""
        return int(self.smooth.argmin())

    @property
    def fall(self) -> float:
        """How far the loss falls below its start."""
        return max(0.0, self.start - float(self.smooth[self.lowest]))

    @property
    def error(self) -> float:
        """Standard error of a smoothed loss: the smoothing averages over 2 sqrt(pi) widths."""
        return float(self.quiet.std(ddof=1)) / np.sqrt(2 * np.sqrt(np.pi) * self.width)

    @property
    def seen(self) -> float:
        """The fall in standard errors: whether any learning was seen."""
        return self.fall / max(self.error, 1e-12 * max(abs(self.start), 1e-300))


def smoothed(values: Numbers, width: float) -> Numbers:
    """Gaussian means, symmetric, so that nothing is delayed; at the ends of what values there are.

    Args:
        values: (N,).
        width: Standard deviation, in places.
    """
    places = np.arange(len(values))
    weights = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return weights @ values / weights.sum(axis=1)


def capped(losses: Sequence[float], most: float) -> Numbers:
    """Losses that are no number or larger than `most` count as `most`: one of 1e9 would hide all others."""
    return np.nan_to_num(
        np.minimum(np.nan_to_num(np.asarray(losses, dtype=float), nan=most), most), neginf=most
    )


def suggested(curve: Curve) -> float | None:
    """The rate at which the loss has made most of its fall, well below divergence.

    None where no learning was seen.
    """
    if curve.seen < SEEN:
        return None
    level = curve.start - SHARE * curve.fall
    limit = diverges(curve)
    rate = _crossing(curve, int(np.argmax(curve.smooth <= level)), level)
    return rate if limit is None else min(rate, limit / MARGIN)


def diverges(curve: Curve) -> float | None:
    """The rate from which on the loss stays where it began, or above; None where it does not.

    A loss that comes down again was only noisy: batches differ more once something has been learnt.
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
    """Where the smoothed loss falls fastest against the logarithm of the rate, before its lowest point."""
    slopes = np.gradient(curve.smooth)[: curve.lowest + 1]
    return float(curve.rates[int(slopes.argmin())])


def minimum_tenth(curve: Curve) -> float:
    """A tenth of the rate at which the smoothed loss is lowest."""
    return float(curve.rates[curve.lowest]) / 10


def valley(curve: Curve) -> float:
    """Half way along the longest run of places at which the smoothed loss keeps falling, gaps allowed.

    As there, the first tenth of the places does not count, nor do the last five.
    """
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
    """The rate at which the line between a place and the one before it crosses a level."""
    if place == 0:
        return float(curve.rates[0])
    before = curve.smooth[place - 1]
    after = curve.smooth[place]
    share = float((before - level) / (before - after))
    low = np.log(curve.rates[place - 1])
    high = np.log(curve.rates[place])
    return float(np.exp(low + share * (high - low)))
