"""One trial after the other, in the process of the sweep."""

from collections.abc import Callable

from imagelab.sweep.trial import Trial


class Ended:
    """A trial that has ended already.

    Args:
        code: Its exit status.
    """

    def __init__(self, code: int) -> None:
        self.code = code

    def poll(self) -> int:
        return self.code

    def terminate(self) -> None:
        """There is nothing to stop."""


class Local:
    """Nothing is imported again between trials; what a device still holds of one is given back."""

    jobs = 1

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> Ended:
        code = here(trial)
        _give_back()
        return Ended(code)


def _give_back() -> None:
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
