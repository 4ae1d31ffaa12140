"""Run the command `report`: a verdict on the curves of a run, and the images that it gets wrong.

imagelab report run=last
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import files, find
from imagelab.terminal import screen

OF_RUNS = ("split", "checkpoint", "weights", "root")


@dataclass(frozen=True, kw_only=True)
class Report:
    """The root keys of configs/report.yaml."""

    run: str | None
    sweep: str | None  # room: sweep
    split: Literal["train", "val", "test"] | None
    checkpoint: Literal["best", "last"]
    weights: str | None
    root: str | None
    explain: bool  # room: explaining


def main() -> None:
    """Report on a run or a sweep."""
    launch.run_hydra(start, "report", Report)


def start(cfg: Node, _: Path) -> None:
    """Write report.html, report.json and a table of predictions into the run's folder; print the verdict."""
    from imagelab.logger.closing import close_all
    from imagelab.logger.reporting import loggers_of
    from imagelab.reports.of_run import STEM, predictions, results_of, write

    if cfg["sweep"] is not None or cfg["run"] is None:  # room: sweep
        from imagelab.reports.sweep.page import on_sweep

        on_sweep(cfg["sweep"], cfg["run"], STEM)
        return
    folder = find.existing(str(cfg["run"]))
    found = None
    why_not = ""
    if cfg["split"] is not None:
        try:
            found = predictions(folder, **{key: cfg[key] for key in OF_RUNS})
        except Problem as problem:  # a run that has just begun still has curves
            why_not = str(problem)
    screen.keep(Path(os.devnull))
    loggers = loggers_of(files.read_config(folder), folder)
    sections = []
    if cfg["explain"]:  # room: explaining
        from imagelab.reports.mistakes_explained import mistakes_explained

        sections += mistakes_explained(folder, found, cfg["checkpoint"], cfg["weights"])
    verdict, step = write(folder, results_of(folder), found, why_not=why_not, loggers=loggers, more=sections)
    close_all(loggers, failed=False)
    if why_not:
        screen.say(f"The report covers only the curves. {why_not}")
    screen.say(f"{verdict.state}: {verdict.why}", f"{step.sentence}\n\n{step.command}")


if __name__ == "__main__":
    main()
