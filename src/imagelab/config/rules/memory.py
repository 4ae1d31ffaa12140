"""Find what cannot be combined with computing a batch in parts (`trainer.on_oom=halve`)."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.processes import sharding
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node


def _parts_make_the_same_step(cfg: Node) -> Iterator[str]:
    trainer = cfg["trainer"]
    if trainer.get("on_oom") != "halve":
        return
    if says(cfg["task"]).compares_batch:
        why = f"task={task_name(cfg)} compares the images of a whole batch"
    elif trainer.get("sync_batchnorm"):
        why = "trainer.sync_batchnorm=true needs all processes to compute equal parts"
    elif sharding(cfg):
        why = "the weights are divided among the processes"
    else:
        return
    yield f"trainer.on_oom: halve computes a batch in parts, but {why}; set trainer.on_oom=stop"


MEMORY_RULES: list[Callable[[Node], Iterator[str]]] = [_parts_make_the_same_step]
