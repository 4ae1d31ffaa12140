"""Work on many files at once, in threads: decoders let go of the interpreter while they decode."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

CHUNK = 16  # items a thread takes at once: handing over single small files costs more than decoding them
GROUP = 16  # chunks under way: bounds the memory held by results that are not yet fetched


def each(function: Callable[[Any], Result], items: Sequence[Any] | np.ndarray) -> Iterator[Result]:
    """The function of each item, in the order of the items.

    >>> list(each(abs, [-1, 2, -3]))
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
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
