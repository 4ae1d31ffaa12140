"""Draw the table of all runs, and several runs side by side: their configs, results and curves."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from imagelab.config.differences import flat
from imagelab.pages.line_plot import line_plot
from imagelab.pages.page import Section, page
from imagelab.pages.table import Cell, table
from imagelab.reports.curves import read_curves
from imagelab.reports.runs.conditions import plain
from imagelab.reports.runs.listed import FACTS, Listed, columns_of

UNTOLD = ("resume",)  # keys that say nothing about a run


def overview(runs: Sequence[Listed], about: str) -> str:
    """The page with the table of the runs.

    Args:
        runs: Runs to list, in order.
        about: Which runs they are, in a sentence.
    """
    facts, metrics, changes = columns_of(runs)
    rows = [
        [
            *(_cell(run.cells[name]) for name in facts),
            *(run.metrics.get(name) for name in metrics),
            *(_cell(run.changes.get(name)) for name in changes),
        ]
        for run in runs
    ]
    body = table([*facts, *metrics, *changes], rows, filters=["status"])
    text = "A key without a value has its default. Metrics are those of the best epoch. Headers sort."
    return page(title="Runs", summary=about, findings=[], sections=[Section("Runs", text, body)])


def side_by_side(runs: Sequence[Listed]) -> str:
    """The page that compares two or more runs."""
    names = short_names(runs)
    different = differing(runs)
    facts = [[name, *(_cell(run.cells[name]) for run in runs)] for name in FACTS]
    metrics = [[name, *(run.metrics.get(name) for run in runs)] for name in columns_of(runs)[1]]
    config = [[key, *(_cell(value) for value in values)] for key, values in different.items()]
    found = [
        Section("Results", "Metrics of the best epoch.", table(["", *names], [*facts, *metrics])),
        Section("Config", "The keys in which they differ.", table(["key", *names], config)),
    ]
    if plots := curves(runs, names):
        found.append(Section("Curves", "Of each epoch, on the validation and training images.", plots))
    said = f"{len(different)} keys of the configs differ."
    return page(title=" and ".join(names), summary=said, findings=[], sections=found)


def differing(runs: Sequence[Listed]) -> dict[str, list[Any]]:
    """The values of each config key that is not the same in all runs; None where a run lacks it."""
    configs = [flat(run.cfg) for run in runs]
    keys = [key for key in dict.fromkeys(key for cfg in configs for key in cfg) if key not in UNTOLD]
    found = {key: [config.get(key) for config in configs] for key in keys}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def curves(runs: Sequence[Listed], names: Sequence[str]) -> str:
    """A plot per metric with a line for each run that has it; empty if there is none."""
    read = {name: read_curves(run.folder / "metrics.csv") for name, run in zip(names, runs, strict=True)}
    metrics = dict.fromkeys(metric for found in read.values() for metric in found.val.get("val", {}))
    lines = {
        "train/loss": {name: (found.epochs.tolist(), found.train.tolist()) for name, found in read.items()}
    }
    lines |= {
        f"val/{metric}": {
            name: (found.epochs.tolist(), found.of_val(metric).tolist()) for name, found in read.items()
        }
        for metric in metrics
    }
    drawn = {
        title: {name: points for name, points in series.items() if len(points[0])}
        for title, series in lines.items()
    }
    return "\n".join(
        line_plot(series, title=title, x_label="epoch", y_label=title.partition("/")[2])
        for title, series in drawn.items()
        if series
    )


def short_names(runs: Sequence[Listed]) -> list[str]:
    """As many of the last parts of the folders as it takes to tell the runs apart."""
    for parts in count(1):
        names = ["/".join(run.folder.parts[-parts:]) for run in runs]
        if len(set(names)) == len(names) or parts >= max(len(run.folder.parts) for run in runs):
            return names
    raise AssertionError


def _cell(value: Any) -> Cell:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or number else plain(value)
