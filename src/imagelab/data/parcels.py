"""Send batches from workers in memory that both processes keep, instead of new shared memory per batch.

New shared memory costs a page fault per 4 KB in the worker and more in the main process, and a connection for
each tensor: half of the time of photos that were shrunk before.
"""

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data._utils.collate import default_convert

from imagelab.contracts import Batch

AHEAD = 2  # batches that a worker makes in advance
SLOTS = AHEAD + 1  # and one that the main process is copying

_numbers = count()
_known: "WeakValueDictionary[int, Memory]" = WeakValueDictionary()


class Memory(dict[tuple[int, int], Tensor]):
    """The slots of a loader's workers, by the numbers of worker and turn."""


class Parcel(NamedTuple):
    """A batch on its way.

    slot: Memory that holds the images; it arrives as its place. shape, stride: Those of the images. rest: The
    batch without images, with arrays for tensors.
    """

    slot: Any
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    rest: tuple[Any, ...]


class Slot(NamedTuple):
    """Memory of one batch, (bytes,) uint8; None: the loader has had it before."""

    loader: int
    worker: int
    turn: int
    memory: Tensor | None

    def __reduce__(self) -> Any:
        """Arrive as the place of the memory."""
        return _received, tuple(self)


class Sender:
    """Puts the images of a batch into the next slot of this worker; anything but a batch goes the usual way.

    A slot is free again once its batch was received: a worker is given a task only after the main process has
    taken the one before the last from it.

    Args:
        loader: Number of the loader.
    """

    def __init__(self, *, loader: int) -> None:
        self.loader = loader
        self.slots: dict[int, Tensor] = {}
        self.sent = 0

    def __call__(self, batch: object) -> object:
        worker = get_worker_info()
        if worker is None or not isinstance(batch, Batch):
            return default_convert(batch)
        images, turn, fresh = batch.images, self.sent % SLOTS, None
        self.sent += 1
        if turn not in self.slots or len(self.slots[turn]) < images.numel():
            fresh = self.slots[turn] = torch.empty(images.numel(), dtype=torch.uint8).share_memory_()
        stride = torch.empty_like(images, device="meta").stride()  # without gaps
        self.slots[turn].as_strided(images.shape, stride).copy_(images)
        rest = tuple(part.numpy() if isinstance(part, Tensor) else part for part in batch[1:])
        return Parcel(Slot(self.loader, worker.id, turn, fresh), tuple(images.shape), stride, rest)


class ParcelLoader(DataLoader[Batch]):
    """A loader of whole batches whose workers send parcels."""

    def __init__(self, dataset: Any, **options: Any) -> None:
        number = next(_numbers)
        super().__init__(dataset, collate_fn=Sender(loader=number), prefetch_factor=AHEAD, **options)
        self.memory = _known[number] = Memory()

    def __iter__(self) -> Iterator[Any]:
        return map(partial(_opened, self.memory), super().__iter__())


def _received(loader: int, worker: int, turn: int, memory: Tensor | None) -> tuple[int, int]:
    """The place of a slot; its memory is noted even if the batch is dropped because an epoch ends early."""
    if memory is not None and loader in _known:
        _known[loader][worker, turn] = memory
    return worker, turn


def _opened(memory: Memory, parcel: object) -> object:
    """The batch in a parcel, in memory of its own; anything else as it is."""
    if not isinstance(parcel, Parcel):
        return parcel
    images = memory[parcel.slot].as_strided(parcel.shape, parcel.stride).clone()
    rest: Any = [torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in parcel.rest]
    return Batch(images, *rest)
