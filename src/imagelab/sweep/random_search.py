"""Draw values from ranges, independently for each trial and parameter.

Source: Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization",
https://jmlr.org/papers/v13/bergstra12a.html
"""

from typing import Any

from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.sweep.search import Node, Ranges, Search
from imagelab.sweep.space import FORMS


class Random(Search):
    """Random search; a draw is a function of seed, trial and key, so a resumed sweep draws the same values.

    Args:
        trials: Number of trials.
        seed: Seed of the draws.
        space: Ranges by key, in Hydra's syntax, besides those of the command line.
    """

    def __init__(self, *, trials: int, seed: int, space: Node | None) -> None:
        super().__init__(space=space)
        self.trials, self.seed = trials, seed

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        found = super().searched(typed, cfg)
        if not found and not typed:
            raise Problem(f"sweep.space: there is nothing to search; give a key a range: {FORMS}")
        return found

    def overrides(self, number: int) -> dict[str, str] | None:
        if number >= self.trials:
            return None
        return {
            key: found.draw(stream(self.seed, f"sweep {key}", number).random())
            for key, found in self.ranges.items()
        }
