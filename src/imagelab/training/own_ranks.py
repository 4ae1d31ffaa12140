"""Detect the additional ranks that Lightning starts, clean up after them, and end with the parent process."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from imagelab.config.launched import launched

RUN, CHECKPOINT = "IMAGELAB_RUN", "IMAGELAB_CHECKPOINT"  # environment variables for additional ranks
PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


def run_to_join() -> str | None:
    """The folder of the run if Lightning started this process as an additional rank of it, else None."""
    return os.environ.get(RUN) if os.environ.get("LOCAL_RANK", "0") != "0" else None


@contextmanager
def own_ranks() -> Iterator[None]:
    """Restore the environment that Lightning changes for its ranks, so that the next run starts its own."""
    first = "LOCAL_RANK" not in os.environ and launched() is None
    try:
        yield
    finally:
        if first:
            for name in ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"):
                os.environ.pop(name, None)
            ranks = sys.modules.get("torch.distributed")
            if ranks and ranks.is_available() and ranks.is_initialized():
                ranks.destroy_process_group()


def end_with_parent(signum: int) -> None:
    """Ask Linux for this signal when the process that started this one ends, even by `kill -9`."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DIES, signum)
