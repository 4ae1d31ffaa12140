"""Cross-validate: each fold of the images is held out by one run, which then predicts it.

Source: Kohavi 1995, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection",
https://www.ijcai.org/Proceedings/95-2/Papers/016.pdf, section 2.2.
"""

from collections.abc import Sequence
from typing import Any, Literal

from rich.console import RenderableType
from rich.text import Text

from imagelab.config.facts import says
from imagelab.problem import Problem
from imagelab.sweep.grid import Grid
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.trial import FINISHED, Row
from imagelab.terminal.summary import near

FOLD, FOLDS = "data.fold", "data.folds"


class KFold(Grid):
    """One run per fold, for each combination of the other values on the command line.

    Args:
        folds: Number of folds, unless `data.folds` is set.
        checkpoint: Checkpoint of each run that predicts its held-out fold.
    """

    holds_out_folds = True

    def __init__(self, *, folds: int, checkpoint: Literal["best", "last"]) -> None:
        super().__init__(points=0, space=None)
        self.folds, self.checkpoint = folds, checkpoint

    def words(self) -> list[str]:
        return [f"{FOLDS}={self.folds}"]

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        if not says(cfg["task"]).predicts:
            raise Problem("sweep: kfold needs a task that predicts something; set task=classify, for example")
        if FOLDS in typed:
            raise Problem(f"{FOLDS}: wants a single number of folds, got a list; choose one of them")
        if FOLD in typed or cfg["data"]["fold"] is not None:
            raise Problem(f"{FOLD}: sweep=kfold holds out each fold in turn; leave it out")
        super().searched(typed, cfg)
        self.folds = cfg["data"]["folds"] or self.folds
        return {FOLD: f"range(0,{self.folds})"}  # the last key, so that it varies fastest

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """Collect the out-of-fold predictions, and summarise them."""
        from imagelab.sweep.fold_summary import summary

        found = self.combinations(rows)
        if not found:
            return [Text("There are no out-of-fold predictions: no run has finished.\n")]
        try:
            return summary(self.folder, found, self.folds, self.checkpoint)
        except Problem as problem:
            return [Text(f"There are no out-of-fold predictions: {problem}\n")]

    def next_commands(self, rows: Sequence[Row]) -> dict[str, str]:
        groups = [rows for rows in self.combinations(rows).values() if len(rows) == self.folds]
        if not groups or not all(row.test for rows in groups for row in rows):
            return {}
        sign = -1 if self.lower else 1
        best = max(groups, key=lambda rows: sign * sum(row.value or 0.0 for row in rows))
        runs = f"sweep={near(self.folder)}"
        if len(self.combinations(rows)) > 1:
            runs = f"'run=[{','.join(near(row.folder) for row in best)}]'"
        return {"average": f"imagelab evaluate {runs}"}

    def combinations(self, rows: Sequence[Row]) -> dict[tuple[tuple[str, str], ...], list[Row]]:
        """The finished runs, grouped by all their values except the fold, in the order of the folds."""
        found: dict[tuple[tuple[str, str], ...], list[Row]] = {}
        for row in sorted(rows, key=lambda row: int(row.overrides[FOLD])):
            if row.status == FINISHED:
                others = tuple((key, value) for key, value in row.overrides.items() if key != FOLD)
                found.setdefault(others, []).append(row)
        return found
