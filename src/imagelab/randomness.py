"""Make every draw a pure function of its purpose: no state to save, the same with any number of workers.

The order of an epoch is a function of (seed, epoch), the augmentation of a sample of (seed, epoch, index),
and dropout and mixing of (seed, epoch, batch, rank). So a run can be killed and resumed anywhere.

Source: the finaliser of SplitMix64, Steele et al. 2014, https://doi.org/10.1145/2660193.2660195, figure 17.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:  # torch takes 500 MB, and orders and splits do not need it
    import torch
    from torch import Tensor

Bits = TypeVar("Bits", "Tensor", np.ndarray)  # int64
GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer: 2^64 / golden ratio


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """Return a separate generator for each (seed, purpose, counters).

    >>> bool(stream(1, "order", 0).random() == stream(1, "order", 0).random())
    True
    """
    return np.random.default_rng([seed, _word(purpose), *counters])


def sample_keys(seed: int, epoch: int, index: Tensor) -> Tensor:
    """The random key of each sample in an epoch: index (B,) int64 -> (B,) int64."""
    return _mix(_mix(index + _signed(seed * GOLDEN)) + _signed(epoch * GOLDEN))


def uniform(keys: Tensor, purpose: str, count: int) -> Tensor:
    """Uniform draws in [0, 1) for each key: (B,) int64 -> (B, count) float32, on the keys' device."""
    bits = _mix(keys[:, None] ^ _counters(purpose, count, keys.device))
    return ((bits >> 40) & 0xFFFFFF).float() * 2.0**-24


def keyed(values: np.ndarray, purpose: str) -> np.ndarray:
    """A hash of each value for a purpose: (N,) uint64 -> (N,) uint64."""
    word = np.full(1, _word(purpose), dtype=np.int64)
    return _mix(_mix(values.view(np.int64)) ^ _mix(word)).view(np.uint64)


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed torch, on every device in use, for the random layers of a training step, such as dropout."""
    import torch

    word = zlib.crc32(f"{seed} {epoch} {batch} {rank}".encode())
    torch.default_generator.manual_seed(word)  # torch.manual_seed does the same 50 times slower
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(word)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(word)


@lru_cache(maxsize=256)
def _counters(purpose: str, count: int, device: torch.device) -> Tensor:
    import torch

    places = torch.arange(1, count + 1, dtype=torch.int64, device=device)
    return _mix(places * GOLDEN + _word(purpose))[None]


def _word(purpose: str) -> int:
    return zlib.crc32(purpose.encode())


def _signed(value: int) -> int:
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >= 1 << 63 else value


def _mix(x: Bits) -> Bits:
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * _signed(0x94D049BB133111EB)
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
