"""Give Lightning's trainer its plugins, and the devices that torchrun or srun started processes for."""

from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from imagelab.checkpoints.durable import DurableCheckpoints
from imagelab.config.launched import launched
from imagelab.config.rules.processes import LAUNCHERS
from imagelab.config.schema import Node
from imagelab.model.layer_sync import LayerSync
from imagelab.training.light_module import Unprofiled


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


def plugins(trainer: Node) -> list[Any]:
    """Lightning's plugins: durable checkpoints, BatchNorm over all processes, srun without its requeueing.

    Args:
        trainer: The trainer's own config.
    """
    mine = launched()
    found: list[Any] = [DurableCheckpoints()]
    found += [LayerSync()] if trainer.get("sync_batchnorm") else []
    # By default, Lightning takes the signals that stop a run.
    return [*found, SLURMEnvironment(auto_requeue=False)] if mine and mine.by == "srun" else found


def profiler(trainer: Node) -> Node:
    """A profiler that does nothing at little cost, unless the trainer's own config names one."""
    return {} if "profiler" in trainer else {"profiler": Unprofiled()}
