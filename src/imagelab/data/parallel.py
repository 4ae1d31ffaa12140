"""Process many files at once in threads, since decoders release the interpreter lock."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

CHUNK = 16  # items per task: handing over single small files costs more than decoding them
GROUP = 16  # tasks in flight: bounds the memory of results that are not fetched yet


def map_in_threads(function: Callable[[Any], Result], items: Sequence[Any] | np.ndarray) -> Iterator[Result]:
    """Apply a function to each item in threads; the results keep the order of the items.

    >>> list(map_in_threads(abs, [-1, 2, -3]))
    [1, 2, 3]
    """

    def chunk(first: int) -> list[Result]:
        return [function(item) for item in items[first : first + CHUNK]]

    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(items), CHUNK * GROUP):
            stop = min(start + CHUNK * GROUP, len(items))
            for results in pool.map(chunk, range(start, stop, CHUNK)):
                yield from results


def cores() -> int:
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
