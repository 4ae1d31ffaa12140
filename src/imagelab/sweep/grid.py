"""Try every combination of values, in the order of Hydra's own sweeps: the last parameter varies fastest."""

import math
from typing import Any

from imagelab.problem import Problem
from imagelab.sweep.search import Node, Ranges, Search
from imagelab.sweep.space import Interval


class Grid(Search):
    """Grid search.

    Args:
        points: Number of values to take from a range, ends included; 0: ranges are refused.
        space: Ranges by key, in Hydra's syntax, used if the command line names none.
    """

    def __init__(self, *, points: int, space: Node | None) -> None:
        super().__init__(space=space)
        self.points = points

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        endless = [key for key, found in typed.items() if isinstance(found, Interval)]
        if endless and not self.points:
            raise Problem(
                f"{endless[0]}: a grid needs a list of values, got a range; set sweep=random or sweep=bayes, "
                "or list the values: choice(a,b)"
            )
        return {} if typed else super().searched(typed, cfg)

    def overrides(self, number: int) -> dict[str, str] | None:
        values = {key: found.points(self.points) for key, found in self.ranges.items()}
        if number >= math.prod(map(len, values.values())):
            return None
        chosen: dict[str, str] = {}
        for key in reversed(values):
            number, place = divmod(number, len(values[key]))
            chosen[key] = values[key][place]
        return {key: chosen[key] for key in values}
