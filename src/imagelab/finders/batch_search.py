"""Search for the largest and the fastest batch size: double it until it does not fit, then bisect.

Source: Lightning's BatchSizeFinder, with two of its problems fixed: it tries sizes above the training set's
(https://github.com/Lightning-AI/pytorch-lightning/issues/11295), and leaves no headroom, so that training may
fail later (https://github.com/Lightning-AI/pytorch-lightning/issues/20231).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from imagelab.problem import Problem

Outcome = Literal["fits", "memory", "time"]
START = 8  # images of the first batch
NEAR = 0.95  # share of the highest speed that counts as the highest
ROUNDS = 2  # rounds of trying sizes between the fastest and its neighbours


class Measured(NamedTuple):
    """Time and memory of training steps at one batch size.

    seconds: Seconds per batch. memory: Peak memory in bytes; None if unknown.
    """

    seconds: float
    memory: float | None


class Tried(NamedTuple):
    """A batch size that was tried, and its outcome.

    outcome: Whether it fits, or takes too much memory or time. seconds: Seconds per batch; None if it was not
    run. memory: Peak memory in bytes, estimated if it was not run; None if unknown.
    """

    batch: int
    outcome: Outcome
    seconds: float | None
    memory: float | None

    @property
    def speed(self) -> float:
        """Images per second."""
        return self.batch / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of a search.

    Args:
        tried: All sizes tried, the smallest first.
        largest: Images in the largest batch that fits.
        safe: Images in the largest batch that leaves the headroom free.
        fastest: Images in the fastest batch up to `safe`.
        cap: Training images of a device, an upper limit for its batch.
        ranks: Devices of the run, each with its own batch.
        window: Batches per step.
        device: Name of the device.
        room: Bytes available for training; None if unknown.
    """

    tried: list[Tried]
    largest: int
    safe: int
    fastest: int
    cap: int
    ranks: int
    window: int
    device: str
    room: float | None

    def of(self, batch: int) -> Tried | None:
        """The entry for a size; None if it was not tried."""
        return next((one for one in self.tried if one.batch == batch), None)


class BatchSearch:
    """Searches for the largest and the fastest batch.

    Args:
        run: Runs a few steps at a batch size; returns None if the device runs out of memory.
        cap: Images in the largest batch to try, >= 1.
        limit: Bytes that a batch may take, by estimate before it is run; None: the device itself refuses.
        patience: Seconds that a batch may take, by estimate before it is run.
    """

    def __init__(
        self, *, run: Callable[[int], Measured | None], cap: int, limit: float | None, patience: float
    ) -> None:
        self.run = run
        self.cap = cap
        self.limit = limit
        self.patience = patience
        self.tried: dict[int, Tried] = {}

    def largest(self) -> int:
        """Find the largest batch that fits, in images.

        Raises:
            Problem: Not even one image fits.
        """
        low = min(START, self.cap)
        high = None
        while self.attempt(low).outcome != "fits":
            low, high = low // 2, low
            if low == 0:
                raise Problem(
                    "not even one image fits into memory: use a smaller data.size or model, or "
                    "trainer.precision=bf16-mixed"
                )
        while high is None and low < self.cap:
            size = min(2 * low, self.cap)
            low, high = (size, None) if self.attempt(size).outcome == "fits" else (low, size)
        while high is not None and high - low > 1 and self.tried[high].outcome == "memory":
            size = self._inside(low, high)
            low, high = (size, high) if self.attempt(size).outcome == "fits" else (low, size)
        return low

    def safe(self, room: float | None, headroom: float) -> int:
        """The largest batch less the headroom, if memory limits it; otherwise the largest batch.

        Args:
            room: Bytes available on the device; None if unknown.
            headroom: Share of the largest batch to leave free, in [0, 1).
        """
        largest = self.largest()
        memory = self.tried[largest].memory
        full = memory is not None and room is not None and memory > (1 - headroom) * room
        met = any(one.outcome == "memory" for one in self.tried.values())
        return with_room(largest, headroom) if met or full else largest

    def fastest(self, most: int) -> int:
        """Find the smallest batch that is about as fast as any up to `most`, in images."""
        self.attempt(most)
        for _ in range(ROUNDS):
            for size in self._between(most):
                self.attempt(size)
        timed = self._timed(most)
        best = max(one.speed for one in timed)
        return next(one.batch for one in timed if one.speed >= NEAR * best)

    def attempt(self, batch: int) -> Tried:
        """Try a batch size once; it is not run if the estimate says that it is too large."""
        if batch not in self.tried:
            self.tried[batch] = self._refused(batch) or self._run(batch)
        return self.tried[batch]

    def reckoned(self, batch: int) -> float | None:
        """Estimate the memory of a batch, in bytes, by a line through the largest batches that were run."""
        known = [(one.batch, one.memory) for one in self._timed(batch) if one.memory is not None]
        if not known:
            return None
        size, memory = known[-1]
        slopes = [(memory - less) / (size - fewer) for fewer, less in known[-3:-1]] or [memory / size]
        return memory + max(0.0, *slopes) * (batch - size)

    def _inside(self, low: int, high: int) -> int:
        """A size between one that fits and one that does not: the largest estimated to fit, or the middle."""
        here = self.reckoned(low)
        more = self.reckoned(low + 1)
        if self.limit is None or here is None or more is None or more <= here:
            return (low + high) // 2
        guess = max(low + 1, low + int((self.limit - here) / (more - here)))
        return guess if guess < high else (low + high) // 2

    def _run(self, batch: int) -> Tried:
        found = self.run(batch)
        if found is None:
            return Tried(batch, "memory", None, None)
        over = self.limit is not None and found.memory is not None and found.memory > self.limit
        return Tried(batch, "memory" if over else "fits", found.seconds, found.memory)

    def _refused(self, batch: int) -> Tried | None:
        memory = self.reckoned(batch)
        fitting = self._timed(batch)
        if self.limit is not None and memory is not None and memory > self.limit:
            return Tried(batch, "memory", None, memory)
        if fitting and batch > fitting[-1].batch and batch / fitting[-1].speed > self.patience:
            return Tried(batch, "time", None, memory)
        return None

    def _timed(self, most: int) -> list[Tried]:
        """The sizes up to `most` that fit, the smallest first."""
        return sorted(one for one in self.tried.values() if one.outcome == "fits" and one.batch <= most)

    def _between(self, most: int) -> list[int]:
        """The midpoints between the fastest size so far and its neighbours."""
        timed = self._timed(most)
        place = max(range(len(timed)), key=lambda i: timed[i].speed)
        sizes = [one.batch for one in timed[max(0, place - 1) : place + 2]]
        return [(one + other) // 2 for one, other in pairwise(sizes) if other - one > 1]


def with_room(largest: int, headroom: float) -> int:
    """The largest batch less the headroom, at least one image.

    >>> with_room(100, 0.1), with_room(1437, 0.1), with_room(1, 0.1)
    (90, 1293, 1)
    """
    return max(1, math.floor(largest * (1 - headroom) + 1e-9))
