"""Write the report on a sweep: leaderboard, parallel coordinates, importance, curves, and what to do next."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from imagelab import finding
from imagelab.finding import Finding
from imagelab.metrics.table import ACCURACY, LOSS
from imagelab.pages.bars import bars
from imagelab.pages.page import Section
from imagelab.pages.publish import publish
from imagelab.pages.table import Cell, table
from imagelab.problem import Problem
from imagelab.reports.sweep.curves import curves_of_trials, curves_plot
from imagelab.reports.sweep.findings import sweep_findings
from imagelab.reports.sweep.importance import importances
from imagelab.reports.sweep.parallel import colours_of, parallel
from imagelab.reports.sweep.rows import Sweep, as_number, read_sweep
from imagelab.sweep import started
from imagelab.sweep.fold_summary import FINDINGS as FOLD_FINDINGS
from imagelab.sweep.trial import REPEATS, Row
from imagelab.terminal import screen

MOST = 500  # most trials in the table and the charts


def on_sweep(name: str | None, run: str | None, stem: str) -> None:
    """Write the page and the findings of a sweep into its folder; print what is best, and what to type next.

    Args:
        name: Folder of the sweep, or `last`; it may still be running.
        run: Value of `run`, which must be None.
        stem: Name of the files, without suffix.

    Raises:
        Problem: If there is no such sweep, no trial has ended yet, or a run is named too.
    """
    if run is not None or name is None:
        both = "both" if name else "neither"
        raise Problem(f"run: wants one of run=FOLDER and sweep=FOLDER (or last), got {both}")
    folder = started.existing(name, "sweep")
    sweep = read_sweep(folder)
    findings = [*sweep_findings(sweep), *fold_findings(folder)]
    by_name = {one.name: one for one in findings}
    best = by_name.get("best")
    step = by_name["next"]
    value = best.value if best else {}
    verdict = (
        f"best {sweep.monitor} {value[sweep.monitor]:.4f}: {best.why}" if best else "no trial has finished."
    )
    warned = [one.why for one in findings if one.status == "WARN"]
    publish(
        folder,
        stem,
        title=f"Sweep {folder.resolve().name}",
        summary=" ".join([f"{len(sweep.rows)} trials; {verdict}", *warned, f"{step.why} `{step.value}`"]),
        findings=findings,
        sections=sections(sweep),
    )
    screen.say(verdict, f"\n{step.value}")


def fold_findings(folder: Path) -> list[Finding]:
    """The findings of a cross-validation."""
    file = folder / FOLD_FINDINGS
    return finding.read(file) if file.is_file() else []


def sections(sweep: Sweep) -> list[Section]:
    """The sections of the page."""
    shown = sweep.rows[:MOST]
    colours = colours_of(shown)
    found = [Section("Leaderboard", "The best first; click a header to sort.", leaderboard(sweep))]
    found += repeats(sweep)
    if sweep.best is not None and sweep.ranges:
        about = "One line per trial: the darker the better, the best in orange; dashed if there is no result."
        picture = parallel(shown, sweep.parameters or sweep.ranges, sweep.monitor, colours)
        found.append(Section("Parallel coordinates", about, picture))
    found += importance_section(sweep)
    curves = curves_of_trials(shown)
    metrics = dict.fromkeys((LOSS, ACCURACY, sweep.monitor.rpartition("/")[2]))  # those that there are
    plots = [curves_plot(shown, curves, metric, sweep.monitor, colours) for metric in metrics]
    if any(plots):
        about = "All trials, coloured as above; point at a line to see which trial it is."
        found.append(Section("Curves", about, "\n".join(filter(None, plots))))
    return found


def leaderboard(sweep: Sweep) -> str:
    """The table of all trials."""
    keys = list(dict.fromkeys(key for row in sweep.rows for key in row.overrides))
    tests = list(dict.fromkeys(name for row in sweep.rows for name in row.test))
    rows = [_cells(place, row, keys, tests) for place, row in enumerate(sweep.rows[:MOST], 1)]
    columns = ["rank", "trial", "status", sweep.monitor, *keys, *tests, "epochs", "seconds", "error"]
    return table(columns, rows, filters=("status",), of=len(sweep.rows))


def repeats(sweep: Sweep) -> list[Section]:
    """The section on configurations that were run with several seeds or folds."""
    lost = sweep.diverged
    setups = {
        values: results for values, results in sweep.setups.items() if len(results) + lost.get(values, 0) > 1
    }
    if not setups:
        return []
    keys = list(sweep.parameters)
    rows = [
        (
            *(_cell(dict(values).get(key)) for key in keys),
            len(results),
            lost.get(values, 0),
            float(np.mean(results)),
            float(np.std(results, ddof=1)) if len(results) > 1 else None,
            min(results),
            max(results),
        )
        for values, results in setups.items()
    ]
    only = " or ".join(key for key in REPEATS if key in sweep.ranges)
    about = f"{sweep.monitor} of trials that differ only in {only}."
    return [
        Section(
            "Repeats", about, table((*keys, "trials", "diverged", "mean", "sd", "lowest", "highest"), rows)
        )
    ]


def importance_section(sweep: Sweep) -> list[Section]:
    """The section on the importance of parameters."""
    found = importances(sweep)
    if not found:
        return []
    shares = {one.name: {"share": one.share} if one.resolved else {} for one in found}
    chart = bars(shares, title="Importance", y_label="share", height=300) if any(shares.values()) else ""
    rows = [(one.name, one.share, one.chance, "yes" if one.resolved else "not resolved") for one in found]
    about = (
        "The fraction of the variation in rank that each parameter explains by itself, beyond what shuffled "
        "results give. A parameter whose share could be luck has no bar. Parameters that only matter in "
        "combination show no importance."
    )
    return [Section("Importance", about, chart + table(("parameter", "share", "chance", "resolved"), rows))]


def _cells(place: int, row: Row, keys: Iterable[str], tests: Iterable[str]) -> list[Cell]:
    own: list[Cell] = [_cell(row.overrides.get(key)) for key in keys]
    tested: list[Cell] = [row.test.get(name) for name in tests]
    rank = place if row.value is not None else None
    return [rank, row.number, row.status, row.value, *own, *tested, row.epochs, row.seconds, row.error]


def _cell(word: str | None) -> Cell:
    number = as_number(word) if word is not None else None
    return word if number is None else number
