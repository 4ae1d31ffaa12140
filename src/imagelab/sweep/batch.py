"""Find the batch size with the best test accuracy at a fixed rate, over several seeds.

At a fixed rate, test accuracy has a maximum over the batch size: what counts is the ratio of rate to batch,
the scale of the noise in a step. At the best batch, keep that ratio when you change one of the two.

Source: Smith & Le 2018, https://arxiv.org/abs/1710.06451, sections 4 and 5.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from imagelab.config.monitor import monitored
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.sweep.grid import Grid
from imagelab.sweep.repeats import Interval, interval, metric_name, values_by_setup
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.trial import Row

BATCH, FINDINGS = "data.batch_size", "batch.json"


class Batch(Grid):
    """One run per batch size and seed, at a constant rate.

    Args:
        sizes: Images per step, unless the command line lists some.
        schedule: Schedule of the trials, unless the command line names one, or a recipe.
        seeds: Number of runs per size, unless the command line lists seeds.
    """

    def __init__(self, *, sizes: list[int], schedule: str, seeds: int) -> None:
        super().__init__(points=0, space=None)
        self.sizes, self.schedule, self.seeds = sizes, schedule, seeds
        self.monitor = ""
        self.rate = 0.0

    def words(self) -> list[str]:
        return [f"schedule={self.schedule}"]

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        super().searched(typed, cfg)
        for key in typed:
            if key not in (BATCH, "seed"):
                raise Problem(f"{key}: sweep=batch compares batch sizes at one setting; set a single value")
        if cfg["optimizer"]["lr_scaling"] != "none":
            raise Problem("optimizer.lr_scaling: sweep=batch keeps the rate; set optimizer.lr_scaling=none")
        self.monitor = monitored(cfg)
        self.rate = cfg["optimizer"]["lr"]
        return {BATCH: ",".join(map(str, self.sizes)), "seed": f"range(0,{self.seeds})"}

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """Write batch.json, and return the table."""
        name = metric_name(rows, self.monitor)
        by_size = {int(dict(setup)[BATCH]): values for setup, values in values_by_setup(rows, name).items()}
        found = {size: interval([*values.values()]) for size, values in sorted(by_size.items())}
        if not found:
            return []
        seconds = {
            size: min(row.seconds or 0.0 for row in rows if row.overrides[BATCH] == str(size))
            for size in found
        }
        top = best(found, self.lower)
        sizes = {
            size: {
                "mean": one.mean,
                "half_width": one.half,
                "rate_per_image": self.rate / size,
                "seconds": seconds[size],
            }
            for size, one in found.items()
        }
        files.write_json(self.folder / FINDINGS, {"metric": name, "best": top, "sizes": sizes})
        lines = [f"{'batch':>6}  {name:<20} {'rate / batch':>12} {'seconds':>8}"]
        lines += [
            f"{size:>6}  {str(one).lstrip('+'):<20} {self.rate / size:>12.3g} {seconds[size]:>8.1f}"
            + ("  best" if size == top else "")
            for size, one in found.items()
        ]
        return [Text("\n".join([*lines, ""]))]

    def next_commands(self, rows: Sequence[Row]) -> dict[str, str]:  # room: finders
        return {"speed": "imagelab find_batch"}


def best(found: Mapping[int, Interval], lower: bool) -> int:
    """The size with the best mean."""
    return (min if lower else max)(found, key=lambda size: found[size].mean)
