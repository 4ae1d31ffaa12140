"""Compare the devices of the config with the processes that torchrun or srun started."""

from collections.abc import Iterator
from typing import Any

from imagelab.config.launched import Launched, launched
from imagelab.config.schema import Node

LAUNCHERS = {"torchrun": "torchrun", "slurm": "srun"}  # values of trainer.devices, and what has to start us
EXAMPLES = {
    "torchrun": "torchrun --standalone --nproc-per-node=gpu -m imagelab.train trainer=torchrun ...",
    "srun": "srun --nodes=1 --ntasks-per-node=2 imagelab train trainer=slurm ...",
}


def clashes(trainer: Node, mine: Launched | None) -> Iterator[str]:
    """Sentences on each number of devices or machines that is not the one that was started.

    Args:
        trainer: The trainer's config.
        mine: The place of this process in its group; None: it was started alone.
    """
    chosen, nodes = trainer.get("devices"), trainer.get("num_nodes")
    starter = LAUNCHERS.get(str(chosen))
    if mine is None:
        if starter:
            yield (
                f"trainer.devices: {chosen} stands for processes that {starter} starts, but not this one; "
                f"say {EXAMPLES[starter]}, or trainer=ddp for all GPUs of this machine"
            )
        if isinstance(nodes, int) and nodes > 1:
            yield (
                f"trainer.num_nodes: {nodes} machines need processes on each of them; start them by torchrun "
                "or srun, with trainer=torchrun or trainer=slurm"
            )
        return
    if starter not in (None, mine.by):
        yield f"trainer.devices: {chosen} wants {starter}, but {mine.by} started this process; say auto"
    elif starter is None and _number(chosen) not in (None, mine.local_world):
        yield (
            f"trainer.devices: {chosen} for {_number(chosen)} process{'es' * (_number(chosen) != 1)} on each "
            f"machine, but {mine.by} started {mine.local_world}; leave it out, say trainer="
            f"{'torchrun' if mine.by == 'torchrun' else 'slurm'} or trainer.devices=auto"
        )
    if nodes not in (None, mine.nodes):
        yield f"trainer.num_nodes: {nodes}, but {mine.by} started processes on {mine.nodes}; leave it out"


def started(cfg: Node) -> Iterator[str]:
    """The clashes of a config with how this process was started."""
    yield from clashes(cfg["trainer"], launched())


def _number(chosen: Any) -> int | None:
    """Devices per machine; None: as many as there are."""
    if isinstance(chosen, list):
        return len(chosen)
    if isinstance(chosen, str) and "," in chosen:
        return len(chosen.split(","))
    text = str(chosen)
    return int(text) if text.isdigit() else None
