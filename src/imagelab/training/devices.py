"""Give Lightning's trainer the devices and machines that torchrun or srun started processes for."""

from typing import Any

from imagelab.config.launched import launched
from imagelab.config.rules.processes import LAUNCHERS
from imagelab.config.schema import Node


def devices(trainer: Node) -> Node:
    """The keys of `trainer` that follow from how this process was started.

    A run that is resumed takes what there is now: its config says how it began.

    Args:
        trainer: The trainer's own config.
    """
    mine = launched()
    if mine is None:
        return {"devices": 1} if trainer["devices"] in LAUNCHERS else {}
    chosen = trainer["devices"]
    fits = isinstance(chosen, list) and len(chosen) == mine.local_world
    return {"devices": chosen if fits else mine.local_world, "num_nodes": mine.nodes}


def environment() -> list[Any]:
    """Lightning's plugin for srun; it would requeue jobs by itself, and take signals that stop a run."""
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    mine = launched()
    return [SLURMEnvironment(auto_requeue=False)] if mine and mine.by == "srun" else []
