"""Which batch sizes fit, and how fast they are: doubled until one does not fit, then bisected.

Source: Lightning's BatchSizeFinder searches the same way; what went wrong with it is mended here: sizes above
the training set (https://github.com/Lightning-AI/pytorch-lightning/issues/11295), and a size without room to
spare, which fails later (https://github.com/Lightning-AI/pytorch-lightning/issues/20231).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from imagelab.problem import Problem

Outcome = Literal["fits", "memory", "time"]
START = 8  # images of the first batch
NEAR = 0.95  # of the highest speed counts as highest: nothing is gained by more images
ROUNDS = 2  # of trying sizes between the fastest and its neighbours


class Measured(NamedTuple):
    """What training steps of one batch size took.

    seconds: A batch. memory: Bytes at the peak; None where nobody can tell.
    """

    seconds: float
    memory: float | None


class Tried(NamedTuple):
    """A batch size, and what became of it.

    outcome: It fits, or takes too much memory or time. seconds: A batch; None where it was not run.
    memory: Bytes at the peak; reckoned where it was not run; None where nobody can tell.
    """

    batch: int
    outcome: Outcome
    seconds: float | None
    memory: float | None

    @property
    def speed(self) -> float:
        """Images a second."""
        return self.batch / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search has found.

    Args:
        tried: All sizes, the smallest first.
        largest: Images of the largest batch that fits.
        safe: The same less its head-room.
        fastest: Images of the fastest batch up to that.
        cap: Images of the largest batch that there are images for.
        ranks: Devices of the run, each with a batch of its own.
        window: Batches of a step.
        device: Its name.
        room: Bytes that there are for training; None where nobody can tell.
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
        """What became of a size; None where it was not tried."""
        return next((one for one in self.tried if one.batch == batch), None)


class BatchSearch:
    """Looks for the largest and the fastest batch.

    Args:
        run: Trains some steps with so many images; None where the device has no memory left for them.
        cap: Images of the largest batch that is wanted, >= 1.
        limit: Bytes that no batch may take, reckoned before it is run; None: the device itself refuses.
        patience: Seconds that a batch may take; larger ones are not run.
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
        """The images of the largest batch that fits.

        Raises:
            Problem: Not even one image fits.
        """
        low = min(START, self.cap)
        high = None
        while self.attempt(low).outcome != "fits":
            low, high = low // 2, low
            if low == 0:
                raise Problem(
                    "not even one image at a time fits: a smaller data.size or model, or "
                    "trainer.precision=bf16-mixed, takes less memory"
                )
        while high is None and low < self.cap:
            size = min(2 * low, self.cap)
            low, high = (size, None) if self.attempt(size).outcome == "fits" else (low, size)
        while high is not None and high - low > 1 and self.tried[high].outcome == "memory":
            size = self._inside(low, high)
            low, high = (size, high) if self.attempt(size).outcome == "fits" else (low, size)
        return low

    def safe(self, room: float | None, headroom: float) -> int:
        """The largest batch less its head-room; itself where memory has not been what ended the search.

        Args:
            room: Bytes of the device; None where nobody can tell.
            headroom: Share of the largest batch to leave free, in [0, 1).
        """
        largest = self.largest()
        memory = self.tried[largest].memory
        full = memory is not None and room is not None and memory > (1 - headroom) * room
        met = any(one.outcome == "memory" for one in self.tried.values())
        return with_room(largest, headroom) if met or full else largest

    def fastest(self, most: int) -> int:
        """The images of the smallest batch that is as fast as any up to `most`, of those that are tried."""
        self.attempt(most)
        for _ in range(ROUNDS):
            for size in self._between(most):
                self.attempt(size)
        timed = self._timed(most)
        best = max(one.speed for one in timed)
        return next(one.batch for one in timed if one.speed >= NEAR * best)

    def attempt(self, batch: int) -> Tried:
        """What becomes of a batch size: tried once, and not run where it is reckoned to be too large."""
        if batch not in self.tried:
            self.tried[batch] = self._refused(batch) or self._run(batch)
        return self.tried[batch]

    def reckoned(self, batch: int) -> float | None:
        """The memory of a batch that was not run, by the line through the largest ones that were."""
        known = [(one.batch, one.memory) for one in self._timed(batch) if one.memory is not None]
        if not known:
            return None
        size, memory = known[-1]
        slopes = [(memory - less) / (size - fewer) for fewer, less in known[-3:-1]] or [memory / size]
        return memory + max(0.0, *slopes) * (batch - size)

    def _inside(self, low: int, high: int) -> int:
        """A size between one that fits and one that does not: the largest reckoned to fit, or the middle."""
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
        memory, fitting = self.reckoned(batch), self._timed(batch)
        if self.limit is not None and memory is not None and memory > self.limit:
            return Tried(batch, "memory", None, memory)
        if fitting and batch > fitting[-1].batch and batch / fitting[-1].speed > self.patience:
            return Tried(batch, "time", None, memory)
        return None

    def _timed(self, most: int) -> list[Tried]:
        """Those up to so many images that fit, the smallest first."""
        return sorted(one for one in self.tried.values() if one.outcome == "fits" and one.batch <= most)

    def _between(self, most: int) -> list[int]:
        """The middles between the fastest size so far and its neighbours."""
        timed = self._timed(most)
        place = max(range(len(timed)), key=lambda i: timed[i].speed)
        sizes = [one.batch for one in timed[max(0, place - 1) : place + 2]]
        return [(one + other) // 2 for one, other in pairwise(sizes) if other - one > 1]


def with_room(largest: int, headroom: float) -> int:
    """The largest batch less a share of it, at least one image.

    >>> with_room(100, 0.1), with_room(1437, 0.1), with_room(1, 0.1)
    (90, 1293, 1)
    """
    return max(1, math.floor(largest * (1 - headroom) + 1e-9))
