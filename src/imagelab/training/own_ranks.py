"""Detect the additional ranks that Lightning starts, clean up after them, and end with the process above."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from imagelab.config.launched import launched

RUN, CHECKPOINT = "IMAGELAB_RUN", "IMAGELAB_CHECKPOINT"  # environment variables for additional ranks
PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


def run_to_join() -> str | None:
    """The folder of the run that this process is a further rank of, if Lightning started it as one."""
    return os.environ.get(RUN) if os.environ.get("LOCAL_RANK", "0") != "0" else None


@contextmanager
def own_ranks() -> Iterator[None]:
    """Leave no trace of the ranks that Lightning starts: the next run of a sweep starts its own."""
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
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DIES, signum)
