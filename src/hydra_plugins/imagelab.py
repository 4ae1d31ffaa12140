"""Define the sweeper of `imagelab train -m`, in the only package where Hydra looks for plugins.

Hydra imports this module at every start, so the rest of a sweep's code is imported only when there is one.

Source: https://hydra.cc/docs/1.3/advanced/plugins/develop/
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Sweep(Sweeper):
    """Run the trials of the plan that the task function carries."""

    def __init__(self, **_: Any) -> None:  # the keys of Hydra's own sweeper stay in the config
        self.hydra: tuple[HydraContext, TaskFunction, DictConfig] | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        from imagelab.sweep.run import run

        assert self.hydra is not None
        return run(arguments, *self.hydra)
