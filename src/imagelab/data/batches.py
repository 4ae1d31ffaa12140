"""Assign samples to batches: one global order per epoch, shared by the ranks, resumable anywhere."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler

from imagelab.randomness import sample_keys, stream

if TYPE_CHECKING:
    from lightning import Trainer


class Address(NamedTuple):
    """The samples of a batch.

    epoch: Epoch of the random draws. step: Place of the batch in the epoch.
    index: (B,) int64, places of the samples in the split. keys: (B,) int64, random keys of the samples.
    """

    epoch: int
    step: int
    index: np.ndarray
    keys: np.ndarray


class TrainBatches(Sampler[Address]):
    """Shuffled batches of one rank; the last partial batch, a different one each epoch, is dropped.

    Batch b of rank r is the r-th part of the b-th global batch of `batch_size * ranks` samples, so that two
    ranks together see what one process with the doubled batch sees.

    Args:
        labels: (N, ...), of the samples.
        batch_size: Samples per rank and batch.
        balance: Whether to draw every class equally often; images of rare classes then appear several times
            per epoch, each time with different random draws.
        epoch: Epoch of the first pass; `set_epoch` changes it.
        start: First batch of that epoch, at which a resumed run continues. Later epochs are whole.
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
        self.labels = labels
        self.batch_size = batch_size
        self.balance = balance
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.epoch, self.start = epoch, start

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.start = 0

    def __len__(self) -> int:
        """Batches in a whole epoch, even if the first pass starts within one."""
        return len(self.labels) // (self.batch_size * self.ranks)

    def __iter__(self) -> Iterator[Address]:
        epoch, first = self.epoch, self.start
        draws = self.draws(epoch)
        places = draws % len(self.labels)
        keys = _keys(self.seed, epoch, draws)
        for step in range(first, len(self)):
            start = (step * self.ranks + self.rank) * self.batch_size
            mine = slice(start, start + self.batch_size)
            yield Address(epoch, step, places[mine], keys[mine])

    def draws(self, epoch: int) -> np.ndarray:
        """The order of an epoch, (N,) int64: place + N * k is the k-th repeat of the sample at that place."""
        rng = stream(self.seed, "order", epoch)
        count = len(self.labels)
        if not self.balance:
            return rng.permutation(count)
        places = [rng.permutation(np.flatnonzero(self.labels == label)) for label in np.unique(self.labels)]
        share = -(-count // len(places))
        drawn = [np.resize(mine, share) + np.arange(share) // len(mine) * count for mine in places]
        return rng.permutation(np.concatenate(drawn))[:count]


class EvalBatches(Sampler[Address]):
    """Every sample once, in order; the ranks take turns and nothing is padded, so metrics are exact.

    Every rank has the same number of batches, whose sizes differ by at most one: networks that exchange
    buffers in each forward pass would hang if one rank ran one batch more than the others.
    """

    def __init__(self, count: int, *, batch_size: int, rank: int, ranks: int) -> None:
        self.mine = np.arange(rank, count, ranks)
        self.batches = math.ceil(math.ceil(count / ranks) / batch_size)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Address]:
        for step, index in enumerate(np.array_split(self.mine, self.batches)):
            yield Address(0, step, index, _keys(0, 0, index))


def _keys(seed: int, epoch: int, draws: np.ndarray) -> np.ndarray:
    return sample_keys(seed, epoch, torch.from_numpy(draws)).numpy()


def too_large(batch: int, count: int, ranks: int) -> str:
    """The sentence for a batch size that leaves no batch for each of `ranks` devices, of `count` images."""
    each = f"{batch} on each of {ranks} devices" if ranks > 1 else str(batch)
    return (
        f"data.batch_size: {each} is more than the {count} training images; "
        f"set it to full, or to {count // ranks} or less"
    )


def resume_position(trainer: "Trainer", steps: int) -> tuple[int, int]:
    """The epoch and the batch at which a trainer resumes, with `steps` batches per epoch.

    Lightning makes the loader before it sets the sampler's epoch, and workers prefetch at once.
    """
    loop = trainer.fit_loop
    epochs: Any = loop.epoch_progress.current
    batch = loop.epoch_loop.batch_progress.current.ready
    return epochs.processed, batch if epochs.ready > epochs.processed and batch < steps else 0
