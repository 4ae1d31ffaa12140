"""The sweeper of `imagelab train -m`, where Hydra looks for plugins: it takes those of this package only.

Hydra imports this module at every start, so that what a sweep needs is imported when there is one.

Source: https://hydra.cc/docs/1.3/advanced/plugins/develop/
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Sweep(Sweeper):
    """Runs the trials that the plan of the task function asks for."""

    def __init__(self, **_: Any) -> None:  # what Hydra's own sweeper takes stays in the config
        self.hydra: tuple[HydraContext, TaskFunction, DictConfig] | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        from imagelab.sweep.run import run

        assert self.hydra is not None
        return run(arguments, *self.hydra)
