"""Which samples form which batch: one global order per epoch, dealt to the ranks, that can start anywhere."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from imagelab.randomness import stream


class Address(NamedTuple):
    """The samples of one batch: their places in the split, (B,) int64, and the epoch their draws belong to."""

    epoch: int
    index: np.ndarray


class TrainBatches(Sampler[Address]):
    """Shuffled batches of one rank; the last partial batch is left out, a different one each epoch.

    Batch b of rank r is the r-th part of the b-th global batch of `batch_size * ranks` samples, so that two ranks
    together see what one process with the doubled batch sees.

    Args:
        labels: (N,) int64.
        batch_size: Samples a rank and batch.
        balance: Draw every class equally often, with replacement within the rare ones.
        epoch: The epoch of the first pass; `set_epoch` changes it.
        start: The first batch of the first pass: where a resumed run goes on.
    """

    def __init__(
        self,
        labels: np.ndarray,
        *,
        batch_size: int,
        balance: bool,
        seed: int,
        rank: int,
        ranks: int,
        epoch: int,
        start: int,
    ) -> None:
        self.labels, self.batch_size, self.balance = labels, batch_size, balance
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self.epoch, self.start = epoch, start

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        """Batches in a whole epoch, also where the first pass starts inside one."""
        return len(self.labels) // (self.batch_size * self.ranks)

    def __iter__(self) -> Iterator[Address]:
        epoch, start, self.start = self.epoch, self.start, 0
        order = self.order(epoch)
        for batch in range(start, len(self)):
            first = (batch * self.ranks + self.rank) * self.batch_size
            yield Address(epoch, order[first : first + self.batch_size])

    def order(self, epoch: int) -> np.ndarray:
        """All N places in the order of this epoch, (N,) int64."""
        rng = stream(self.seed, "order", epoch)
        if not self.balance:
            return rng.permutation(len(self.labels))
        places = [rng.permutation(np.flatnonzero(self.labels == label)) for label in np.unique(self.labels)]
        share = -(-len(self.labels) // len(places))
        drawn = np.concatenate([np.resize(mine, share) for mine in places])
        return rng.permutation(drawn)[: len(self.labels)]


class EvalBatches(Sampler[Address]):
    """Every sample once, in order; the ranks take turns and nothing is padded, so metrics are exact."""

    def __init__(self, count: int, *, batch_size: int, rank: int, ranks: int) -> None:
        self.mine = np.arange(rank, count, ranks)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.mine) // self.batch_size)

    def __iter__(self) -> Iterator[Address]:
        for first in range(0, len(self.mine), self.batch_size):
            yield Address(0, self.mine[first : first + self.batch_size])
