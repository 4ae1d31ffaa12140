"""Run the command `check`: sanity-check a run before you spend hours on it.

imagelab check data=cifar10 model=resnet9 fast=true

Takes the overrides of `train`. Every check (`checks/`) is a function of the parts of the run and returns a
finding; `checks/run.py` lists them. A FAIL makes the exit status 1.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagelab import finding, launch
from imagelab.config import schema
from imagelab.config.schema import Node
from imagelab.terminal import screen

STEM = "check"


@dataclass(frozen=True, kw_only=True)
class Check(schema.Run):
    """The root keys of configs/check.yaml."""

    fast: bool
    seconds: float


def main() -> None:
    """Check a run before it starts."""
    launch.run_hydra(start, "check", Check)


def start(cfg: Node, folder: Path) -> None:
    """Write check.json and check.html into a new folder; end with exit status 1 if a check failed."""
    from imagelab.checks.causes import folded
    from imagelab.checks.page import sections
    from imagelab.checks.prepare import prepare
    from imagelab.checks.run import run, training_checks
    from imagelab.logger.reporting import loggers_of
    from imagelab.pages.publish import publish

    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    with tempfile.TemporaryDirectory() as scratch:
        subject = prepare(cfg, Path(scratch), seconds=cfg["seconds"])
        findings = folded(run(subject, fast=cfg["fast"]))
    last_line = summary(findings, skipped=training_checks(subject) if cfg["fast"] else ())
    publish(
        folder,
        STEM,
        title="Check before training",
        summary=last_line,
        findings=findings,
        sections=sections(subject),
        loggers=loggers_of(cfg, folder),
    )
    screen.say(last_line)
    if finding.worst(findings) == "FAIL":
        sys.exit(1)


def summary(findings: list[finding.Finding], *, skipped: Iterable[str]) -> str:
    """Sum up the findings in a line: what failed, what to look at, and what was left out.

    Args:
        findings: What was found.
        skipped: Names of the checks that apply but were not run.
    """
    from imagelab.checks.findings import LEFT_OUT

    failed = [one.name for one in findings if one.status == "FAIL"]
    warned = [one.name for one in findings if one.status == "WARN"]
    without = [*(one.name for one in findings if one.value == LEFT_OUT), *skipped]
    verdict = "All checks passed."
    if without:
        verdict = "Nothing failed."
    if warned:
        verdict = f"Nothing failed. Review: {', '.join(warned)}."
    if failed:
        verdict = f"Failed: {', '.join(failed)}. Fix these before training."
    return verdict + (f" Left out: {', '.join(without)}." if without else "")


if __name__ == "__main__":
    main()
