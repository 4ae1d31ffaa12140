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
        """Overrides of every trial besides the words of the command line."""
        return []

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        """The ranges in Hydra's words, by key, besides those that were typed.

        Args:
            typed: The ranges of the command line.
            cfg: The config of the first trial, as far as the command line says it.

        Raises:
            Problem: There is nothing to search in.
        """
        return flat(self.space)

    def begin(self, folder: Path, ranges: Ranges, lower: bool) -> None:
        """Know the sweep.

        Args:
            folder: Of the sweep; a continued one has left there what it wrote.
            ranges: All that is searched, by key.
            lower: Whether a smaller value of the monitored metric is the better one.
        """
        self.folder = folder
        self.ranges = dict(ranges)
        self.lower = lower

    def overrides(self, number: int) -> dict[str, str] | None:
        """The values of a trial by key; None where there are no more trials."""
        raise NotImplementedError

    def environment(self, number: int) -> dict[str, str]:
        """Environment variables for the process of a trial."""
        return {}

    def tell(self, row: Row) -> None:
        """A trial has ended."""

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """What to show when all trials have ended, besides the leaderboard."""
        return []

    def next_commands(self, rows: Sequence[Row]) -> dict[str, str]:
        """What to type next, by what it does."""
        return {}
