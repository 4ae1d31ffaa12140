"""Set up the worker processes that decode photos: how many, and how they start and end."""

import atexit
import signal
import weakref
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from imagelab.contracts import Batch
from imagelab.data.batches import Address
from imagelab.data.parallel import cores
from imagelab.data.parcels import ParcelLoader

MOST = 8  # more would only wait for the disk or the device, and each takes memory

_loaders: "weakref.WeakSet[DataLoader[Batch]]" = weakref.WeakSet()


def make_loader(
    dataset: Dataset[Batch], sampler: Sampler[Address] | Sequence[Address], *, workers: int, pin_memory: bool
) -> "DataLoader[Batch]":
    """Make a loader of whole batches: the dataset gets the address of a batch, not of one sample."""
    options: dict[str, Any] = {"batch_size": None, "sampler": sampler, "num_workers": workers}
    if not workers:
        loader = DataLoader(dataset, pin_memory=pin_memory, **options)
    else:  # what pins memory for a GPU is a thread that knows tensors only
        kind = DataLoader if pin_memory else ParcelLoader
        options |= {"persistent_workers": True, "worker_init_fn": start_worker}
        loader = kind(dataset, pin_memory=pin_memory, **options)
    _loaders.add(loader)
    return loader


def worker_count(wanted: int | Literal["auto"], *, one_by_one: bool, batches: int, ranks: int = 1) -> int:
    """The number of worker processes: none if batches are gathered at once, never more than batches.

    Args:
        wanted: Number of processes; "auto": as many as this rank has cores.
        one_by_one: Whether images are decoded one by one.
        batches: Number of batches.
        ranks: Number of ranks on this machine, which share its cores.
    """
    if wanted == "auto":
        wanted = max(1, min(cores() // ranks, MOST)) if one_by_one else 0
    return min(wanted, batches)


def start_worker(worker: int) -> None:
    """Give a worker one thread and ignore signals: only the main process decides when a run stops."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    import cv2

    cv2.setNumThreads(0)


@atexit.register
def _end_workers() -> None:
    # Must run before multiprocessing's own exit handler, which sends a SIGTERM (ignored) and waits forever.
    for loader in list(_loaders):
        iterator: Any = loader._iterator
        if iterator is not None:
            iterator._shutdown_workers()
