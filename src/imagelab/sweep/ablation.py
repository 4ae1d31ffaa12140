"""Measure what each of several choices brings: add them one at a time, or leave them out one at a time.

Differences are taken seed by seed, so that what a seed does to all runs cancels out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import RenderableType
from rich.text import Text

from imagelab.config.monitor import monitored
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.sweep.grid import Grid
from imagelab.sweep.repeats import Interval, interval, metric_name, values_by_setup
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.trial import Row, Values

FINDINGS = "ablation.json"
KEYS = {"signals": "data.signals"}  # of what is tried, if it is not a group


class Ablation(Grid):
    """One run per seed for the base and for each choice.

    Args:
        group: What is tried: the choices of trick or augment, or signals, what the network sees.
        choices: Their names, in order; tricks have the values of their configs. Of signals, `image` is one;
            if it is not among them, all runs have it.
        how: add: the base has none of them, and each run has one. leave_out: the base has all, and each run
            lacks one.
        seeds: Number of runs of each, >= 2.
    """

    def __init__(
        self,
        *,
        group: Literal["trick", "augment", "signals"],
        choices: list[str] | None,
        how: Literal["add", "leave_out"],
        seeds: int,
    ) -> None:
        super().__init__(points=0, space=None)
        if not choices or len(set(choices)) < len(choices):
            raise Problem(f"sweep.choices: wants different names such as [ema,agc], got {choices or 'none'}")
        self.group, self.choices, self.how, self.seeds = group, choices, how, seeds
        self.key = KEYS.get(group, group)
        self.monitor = ""

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        for key in typed:
            raise Problem(f"{key}: sweep=ablation changes one thing at a time; set a single value")
        self.monitor = monitored(cfg)
        return {self.key: ",".join(self.lists()), "seed": f"range(0,{self.seeds})"}

    def lists(self) -> list[str]:
        """The lists of names, in Hydra's syntax: of the base, then of the run for each choice."""
        nothing = ["none"] if self.group == "augment" else []
        always = ["image"] if self.group == "signals" and "image" not in self.choices else []
        base = [] if self.how == "add" else self.choices
        without = [[other for other in self.choices if other != name] for name in self.choices]
        changed = [[name] for name in self.choices] if self.how == "add" else without
        return [f"[{','.join([*always, *names] or nothing)}]" for names in (base, *changed)]

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """Write ablation.json, and return the table of gains."""
        name = metric_name(rows, self.monitor)
        by_list = {dict(setup)[self.key]: values for setup, values in values_by_setup(rows, name).items()}
        found = gains([by_list.get(text, {}) for text in self.lists()], self.lower)
        sign = "with" if self.how == "add" else "without"
        named = {
            f"{sign} {choice}": found[place] for place, choice in enumerate(self.choices) if place in found
        }
        content = {
            "metric": name,
            "lower_is_better": self.lower,
            "gains": {key: {"mean": one.mean, "half_width": one.half} for key, one in named.items()},
        }
        files.write_json(self.folder / FINDINGS, content)
        width = max(map(len, named), default=0)
        head = f"Change of {name} against the base, with 95% intervals over {self.seeds} seeds:"
        return [Text("\n".join([head, *(f"  {key:<{width}}  {one}" for key, one in named.items()), ""]))]


def gains(values: Sequence[Mapping[Values, float]], lower: bool) -> dict[int, Interval]:
    """The change that each choice makes, by its place; better is positive, and pairs of runs share a seed.

    >>> seeds = [(("seed", "0"),), (("seed", "1"),)]
    >>> str(gains([dict(zip(seeds, [0.5, 0.7])), dict(zip(seeds, [0.6, 0.8]))], lower=False)[0])
    '+0.1000 ± 0.0000'

    Args:
        values: Values of a metric by seed: of the base, then of the run for each choice.
        lower: Whether lower values of it are better.
    """
    base, *others = values
    sign = -1 if lower else 1
    pairs = [[sign * (value - base[seed]) for seed, value in one.items() if seed in base] for one in others]
    return {place: interval(differences) for place, differences in enumerate(pairs) if differences}
