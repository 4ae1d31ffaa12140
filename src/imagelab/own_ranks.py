"""The further processes of a run, which Lightning starts: none of their traces may reach the next run."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_ranks() -> Iterator[None]:
    """Leave no trace of the ranks that Lightning starts: the next run of a sweep starts its own."""
    first = "LOCAL_RANK" not in os.environ
    try:
        yield
    finally:
        if first:
            for name in ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"):
                os.environ.pop(name, None)
            ranks = sys.modules.get("torch.distributed")
            if ranks and ranks.is_available() and ranks.is_initialized():
                ranks.destroy_process_group()
