"""Serve `imagelab train` with sweeps: plan one, resume one, end a hopeless trial.

`train` imports this module at every start, so what a sweep needs is imported when there is one.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagelab.config.hydra_internals import plain_value
from imagelab.config.monitor import lower_is_better_of, monitored
from imagelab.config.rules.processes import is_job
from imagelab.problem import Problem
from imagelab.sweep import started
from imagelab.sweep.trial import VARIABLE

SWEEPER = "hydra.sweeper._target_=hydra_plugins.imagelab.Sweep"
Check = Callable[[list[str]], list[str]]


def prepare(words: list[str], check: Check) -> tuple[Any, list[str]]:
    """Plan a sweep; return the plan and the overrides for Hydra.

    Args:
        words: Words of the command line.
        check: Function that refuses invalid overrides and returns valid ones in Hydra's syntax.

    Raises:
        Problem: If the search is impossible.
    """
    from imagelab.sweep.plan import make_plan, named

    words = named(words)
    sound = check(words)
    plan = make_plan(words)
    if plan.words != words:
        sound = check(plan.words)
    return plan, [*sound, SWEEPER]


def resuming(words: list[str]) -> list[str]:
    """The words that resume a sweep if `resume=` names the folder of one; else the words unchanged.

    Raises:
        Problem: If the sweep was killed before it began.
    """
    resumed = [word for word in words if word.lstrip("+").startswith("resume=")]
    name = plain_value(resumed[-1]) if resumed else ""
    if name == "auto" and {"-m", "--multirun"} & set(words):
        return _own(words, resumed)
    if {"-h", "--help"} & set(words) or not (name and started.is_sweep(name)):
        return words
    return started.again(Path(name), [word for word in words if word not in resumed])


def _own(words: list[str], resumed: list[str]) -> list[str]:
    """The words of `resume=auto` with -m: the sweep in the folder that is named, from where it is."""
    folder = [plain_value(word) for word in words if word.startswith("hydra.sweep.dir=")]
    if not folder:
        raise Problem("resume=auto: name the folder of the sweep by hydra.sweep.dir=DIR.")
    if started.is_sweep(folder[-1]):
        return started.again(Path(folder[-1]), [])
    return [word for word in words if word not in resumed]


def take_dry_run(words: list[str]) -> tuple[bool, list[str]]:
    """Split off `--dry-run`: whether it was typed, and the other words.

    Raises:
        Problem: It was typed for a sweep.
    """
    others = [word for word in words if word != "--dry-run"]
    if len(others) < len(words) and {"-m", "--multirun"} & set(words):
        raise Problem("--dry-run shows the job of one run; leave out -m.")
    return len(others) < len(words), others


def submitted(cfg: dict[str, Any], folder: Path) -> bool:
    """Submit a run as a job if its launcher does that without -m; return whether it does.

    Args:
        cfg: Config of the run.
        folder: Folder of the run.
    """
    if not is_job(cfg):
        return False
    from imagelab.sweep.submission import submit

    submit(cfg, folder)
    return True


def show(cfg: dict[str, Any], folder: Path) -> None:
    """Show the job of a run instead of submitting it."""
    from imagelab.sweep.submission import show

    show(cfg, folder)


def environment() -> dict[str, str]:
    """The variable that makes this process run a trial, which the other ranks of the trial need, too."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def pruning(cfg: dict[str, Any]) -> list[Any]:
    """The callback that prunes a trial; none for any other run, so that Optuna is imported only for trials.

    Args:
        cfg: Config of the run.
    """
    trial = os.environ.get(VARIABLE)
    if not trial:
        return []
    from imagelab.sweep.prune import Prune

    monitor = monitored(cfg)
    lower = lower_is_better_of(cfg, monitor)
    return [Prune(trial=trial, monitor=monitor, lower=lower, epochs=cfg["trainer"]["max_epochs"])]
