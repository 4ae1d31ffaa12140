"""Search wide ranges with many short runs, as the first of two searches; `refine` is the second."""

from collections.abc import Sequence

from imagelab.sweep.random_search import Random
from imagelab.sweep.search import Node
from imagelab.sweep.trial import Row
from imagelab.terminal.summary import near


class Coarse(Random):
    """Random draws, in short runs.

    Args:
        trials: Number of trials.
        epochs: Epochs per trial, unless the command line sets `trainer.max_epochs`.
        schedule: Schedule of the trials, unless the command line names one, or a recipe.
        seed: Seed of the draws.
        space: Ranges by key, in Hydra's syntax, besides those of the command line.
    """

    def __init__(self, *, trials: int, epochs: int, schedule: str, seed: int, space: Node | None) -> None:
        super().__init__(trials=trials, seed=seed, space=space)
        self.epochs = epochs
        self.schedule = schedule

    def words(self) -> list[str]:
        return [f"trainer.max_epochs={self.epochs}", f"schedule={self.schedule}"]

    def next_commands(self, rows: Sequence[Row]) -> dict[str, str]:
        return {"refine": f"imagelab train -m sweep=refine from={near(self.folder)}"}
