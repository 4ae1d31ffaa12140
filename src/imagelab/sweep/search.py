"""Define a search: which ranges it covers, and which values each trial gets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from imagelab.config.schema import Node
from imagelab.sweep.space import Range, flat
from imagelab.sweep.trial import DIVERGED, FINISHED, PRUNED, Row

Ranges = Mapping[str, Range]


class Search:
    """Base class of searches; trials are numbered from 0, and a number always gets the same values.

    Args:
        space: Ranges by key, in Hydra's syntax.
    """

    final = (FINISHED, PRUNED, DIVERGED)  # these are not run again when the sweep resumes

    def __init__(self, *, space: Node | None) -> None:
        self.space = space
        self.folder = Path()
        self.lower = False
        self.ranges: dict[str, Range] = {}

    def words(self) -> list[str]:
        """Overrides of every trial besides those of the command line."""
        return []

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        """The ranges by key, in Hydra's syntax, besides those that were typed.

        Args:
            typed: Ranges of the command line.
            cfg: Config of the first trial, with the values of the command line.

        Raises:
            Problem: There is nothing to search.
        """
        return flat(self.space)

    def begin(self, folder: Path, ranges: Ranges, lower: bool) -> None:
        """Prepare for a sweep, new or resumed.

        Args:
            folder: Folder of the sweep; if resumed, with what it has written so far.
            ranges: All searched ranges, by key.
            lower: Whether lower values of the monitored metric are better.
        """
        self.folder = folder
        self.ranges = dict(ranges)
        self.lower = lower

    def overrides(self, number: int) -> dict[str, str] | None:
        """The values of a trial by key; None if there are no more trials."""
        raise NotImplementedError

    def theirs(self, number: int) -> bool:
        """Whether another sweep that shares the study runs this trial; if it is free, it becomes ours."""
        return False

    def others(self) -> list[Row]:
        """The rows of trials that other sweeps run, or have run, for the same study."""
        return []

    def environment(self, number: int) -> dict[str, str]:
        """Environment variables for the process of a trial."""
        return {}

    def tell(self, row: Row) -> None:
        """Take note of a trial that has ended."""

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """What to print at the end, besides the leaderboard."""
        return []

    def next_commands(self, rows: Sequence[Row]) -> dict[str, str]:
        """Commands to suggest at the end, by what they do."""
        return {}
