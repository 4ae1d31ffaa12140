"""Read from the environment whether torchrun or srun started this process, and as which of how many."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Launched:
    """One process of a group that torchrun or srun started.

    Args:
        by: Who started it.
        rank: Its number among all processes, from 0; the first one speaks and writes.
        world: Number of processes, on all machines together.
        local_rank: Its number on its machine, from 0.
        local_world: Number of processes on each machine.
        node: Number of its machine, from 0.
    """

    by: Literal["torchrun", "srun"]
    rank: int
    world: int
    local_rank: int
    local_world: int
    node: int

    @property
    def nodes(self) -> int:
        """Number of machines."""
        return self.world // self.local_world


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """The place of this process in its group; None: a person or a script started it alone.

    >>> launched({"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "3",
    ...           "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_JOB_NAME": "night"})
    Launched(by='srun', rank=3, world=4, local_rank=1, local_world=2, node=1)

    Raises:
        Problem: srun was told the number of tasks, but not how many on each machine.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")
        return _place("torchrun", [int(environment[name]) for name in names])
    tasks = int(environment.get("SLURM_NTASKS", "1"))
    alone = tasks == 1 or environment.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if alone or "SLURM_PROCID" not in environment:
        return None
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise Problem(
            f"srun: --ntasks={tasks} does not say how many run on each machine; also set --ntasks-per-node."
        )
    local = int(environment["SLURM_NTASKS_PER_NODE"].partition("(")[0])
    names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODEID")
    rank, world, local_rank, node = (int(environment[name]) for name in names)
    return _place("srun", [rank, world, local_rank, local, node])


def _place(by: Literal["torchrun", "srun"], numbers: list[int]) -> Launched:
    rank, world, local_rank, local_world, node = numbers
    return Launched(by=by, rank=rank, world=world, local_rank=local_rank, local_world=local_world, node=node)
