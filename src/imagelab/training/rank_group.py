"""Let the processes that torchrun or srun started work on one run: the first decides, the others follow."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from imagelab.config.launched import Launched, launched
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.terminal.failure import sentence

LONG = timedelta(hours=2)  # a download, a cache of a large data set
SHORT = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run that all processes take part in.

    Args:
        cfg: The checked config.
        folder: Folder of the run on the machine of the first rank, the only one that writes.
        checkpoint: Checkpoint to resume from, on the same machine; None for a new run.
        card: Card of the checkpoint.
        environment: Variables that the first rank's process has been given for this run.
    """

    cfg: Node
    folder: str
    checkpoint: str | None
    card: Node | None
    environment: dict[str, str]


class RankGroup:
    """The processes of one `torchrun` or `srun`; each has one of these and makes the same calls in order.

    Args:
        mine: The place of this process.
    """

    def __init__(self, mine: Launched) -> None:
        from imagelab.training.meeting_point import meet

        self.mine = mine
        self.number = 0
        self.code = 0
        self.broken = False  # a process failed while the others waited for it in a collective
        self.store = meet(mine)

    def tell(self, order: Order) -> None:
        """Start the next run on the other ranks; for the first rank.

        Raises:
            Problem: The processes no longer agree.
        """
        import torch

        if self.broken:
            raise Problem(f"An earlier run lost a process, so {self.mine.by} has to start all of them again.")
        self.number += 1
        content = io.BytesIO()
        torch.save(asdict(order), content)
        self.store.set(f"{self.number}/order", content.getvalue())

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Tell the other ranks when the block ends that there is no further run; they exit like this one."""
        code = 1
        try:
            yield
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            raise
        finally:
            self._end(code)

    def orders(self) -> Iterator[Order]:
        """The runs to take part in, until the first rank ends; `code` is then its exit status."""
        import torch
        from torch import distributed

        while True:
            self.number += 1
            self.store.wait([f"{self.number}/order"], LONG)
            content = self.store.get(f"{self.number}/order")
            if content.startswith(b"end "):
                self.code = int(content.split()[1])
                self.store.set(f"bye/{self.mine.rank}", "")
                break
            order = torch.load(io.BytesIO(content), weights_only=True)
            yield Order(**order)
        if self.code == 0 and distributed.is_initialized():
            distributed.destroy_process_group()

    def report_own(self, folder: Path | None) -> None:
        """Tell the other ranks that this machine has the unfinished run of this command, if it has."""
        found = f"{socket.gethostname()} ({folder.resolve()})" if folder else ""
        self.store.set(f"own/{self.mine.rank}", found)

    def own_elsewhere(self) -> list[str]:
        """Machine and folder of each other rank that has the unfinished run of this command."""
        keys = [f"own/{rank}" for rank in range(1, self.mine.world)]
        self.store.wait(keys, LONG)
        return [found for key in keys if (found := self.store.get(key).decode())]

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build the parts of a run: one process of each machine before the others, which find its caches.

        Raises:
            Problem: Another process cannot take part.
        """
        if self.mine.local_rank:
            self.store.wait([f"{self.number}/built/{self.mine.node}"], LONG)
        try:
            yield
        except BaseException as error:
            self._agree(str(error) if isinstance(error, Problem) else sentence(error))
            raise
        if why := self._agree(""):
            raise Problem(why)

    def fail(self, error: BaseException) -> None:
        """Leave a sentence on the failure of this process in training for the first one."""
        self.broken = True
        with suppress(RuntimeError):
            self.store.set(f"{self.number}/failed/{self.mine.rank}", self._signed(sentence(error)))

    def failures(self) -> list[str]:
        """The sentences that failed processes have left."""
        keys = [f"{self.number}/failed/{rank}" for rank in range(1, self.mine.world)]
        with suppress(RuntimeError):
            return [self.store.get(key).decode() for key in keys if self.store.check([key])]
        return []

    def _end(self, code: int) -> None:
        from torch import distributed

        self.number += 1
        with suppress(RuntimeError):
            self.store.set(f"{self.number}/order", f"end {code}")
            self.store.wait([f"bye/{rank}" for rank in range(1, self.mine.world)], SHORT)
        if code == 0 and distributed.is_initialized():
            distributed.destroy_process_group()

    def _agree(self, mine: str) -> str:
        """What keeps any process from taking part, the same on all of them; empty: nothing."""
        at = f"{self.number}/"
        rank = self.mine.rank
        if self.mine.local_rank == 0:
            self.store.set(f"{at}built/{self.mine.node}", "")
        self.store.set(f"{at}able/{rank}", mine and self._signed(mine))
        if rank:
            self.store.wait([f"{at}verdict"], LONG)
            return self.store.get(f"{at}verdict").decode()
        verdict = mine
        for other in range(1, self.mine.world):
            if not verdict:
                self.store.wait([f"{at}able/{other}"], LONG)
                verdict = self.store.get(f"{at}able/{other}").decode()
        self.store.set(f"{at}verdict", verdict)
        return verdict

    def _signed(self, text: str) -> str:
        return f"Process {self.mine.rank} on {socket.gethostname()}: {text}"


@cache
def rank_group() -> RankGroup | None:
    """The group of this process; None if it is the only one, or if Lightning starts the others."""
    mine = launched()
    return RankGroup(mine) if mine and mine.world > 1 else None


def building() -> Any:
    """A block like `RankGroup.building`; without a group, one that does nothing."""
    group = rank_group()
    return group.building() if group else nullcontext()
