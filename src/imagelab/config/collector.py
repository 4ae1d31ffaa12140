"""Pause the garbage collector while libraries are imported."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def paused() -> Iterator[None]:
    """Pause the collector, then exempt what the first pause of this process has loaded: modules stay.

    Importing torch and Lightning makes so many objects that a quarter of its time goes into looking for some
    to free, and each later full collection would go through all of them again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _spare_once()
        if was_on:
            gc.enable()


@cache  # to count what is spared would take as long as to look through it
def _spare_once() -> None:
    """Exempt what exists now from collection, only once: what later runs leave behind must be freed."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # or libraries written in C++ report leaks as the process ends
