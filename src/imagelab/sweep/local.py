"""Run one trial after the other, in the sweep's own process."""

import gc
import sys
from collections.abc import Callable

from imagelab.sweep.trial import Trial


class Ended:
    """A trial that has already ended.

    Args:
        code: Exit status of the trial.
    """

    def __init__(self, code: int) -> None:
        self.code = code

    def poll(self) -> int:
        return self.code

    def terminate(self) -> None:
        """Do nothing: the trial has ended."""


class Local:
    """Run trials in this process, without new imports; device memory is freed after each."""

    jobs = 1

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> Ended:
        code = here(trial)
        _give_back()
        return Ended(code)


def _give_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
