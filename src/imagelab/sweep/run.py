"""Run the trials of a sweep, as many at once as the launcher allows, and record the outcome of each."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from imagelab.config.hydra_internals import parse_word, run_trial
from imagelab.runs import claim
from imagelab.sweep import leaderboard, space, started, table
from imagelab.sweep.launcher import Running, begun
from imagelab.sweep.plan import Plan
from imagelab.sweep.search import Search
from imagelab.sweep.trial import FAILED, FINISHED, INTERRUPTED, KILLED, STOPPED, Row, Trial, outcome
from imagelab.terminal import refusal, screen

PAUSE = 0.1  # seconds between two polls of trials in their own processes


def run(words: list[str], context: HydraContext, task: TaskFunction, config: DictConfig) -> list[Row]:
    """Run the plan that the task function carries, or what is left of it.

    Args:
        words: Overrides of the trials: fixed values, and a range for each searched key.
        context: Hydra's context.
        task: Function that runs a config in this process.
        config: Config of the sweep, with Hydra's own keys.
    """
    plan: Plan = task.plan  # pyright: ignore[reportFunctionMemberAccess]
    folder = Path(str(config.hydra.sweep.dir))
    with refusal.plainly():
        sweep = Sweep(plan, words, folder, _in_process(context, task, config))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "multirun.yaml")
        rows = sweep.run()
    failed = [row for row in rows if row.status in (FAILED, KILLED)]
    if not any(row.status == FINISHED for row in rows):
        failed = rows
    if failed:
        claim.discard_sweep()
        refusal.refuse([leaderboard.failure(row, sweep.fixed) for row in failed], "These trials failed:")
    return rows


class Sweep:
    """A running sweep: its folder and its rows so far.

    Args:
        plan: Plan of the sweep.
        words: Overrides of the trials, in Hydra's syntax.
        folder: Folder of the sweep.
        here: Function that runs a trial in this process.
    """

    def __init__(self, plan: Plan, words: list[str], folder: Path, here: Callable[[Trial], int]) -> None:
        self.plan = plan
        self.folder = folder
        self.here = here
        self.ranges: dict[str, space.Range] = {}
        self.fixed: list[str] = []
        for override in map(parse_word, words):
            name = override.get_key_element()
            found = space.range_of(override, name)
            if found is None:
                self.fixed.append(f"{name}={override.get_value_element_as_str()}")
            else:
                self.ranges[name] = found
        self.rows: dict[int, Row] = {}
        self.running: dict[int, tuple[Trial, dict[str, str], Running]] = {}

    def run(self) -> list[Row]:
        """Run all trials that have not ended; return the rows of all."""
        self._begin()
        signal.signal(signal.SIGTERM, _leave)
        try:
            self._all()
        except KeyboardInterrupt:
            self._stop(128 + signal.SIGINT)
        except SystemExit as end:
            self._stop(int(end.code or 0))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        rows = self._all_rows()
        table.write(self.folder, rows, self.plan.monitor)
        screen.say(leaderboard.closing(rows, self.folder, self.plan))
        return rows

    def _begin(self) -> None:
        plan = self.plan
        shown = {name.lstrip("+"): found.text() for name, found in self.ranges.items()}
        content = {"typed": plan.typed, "choice": plan.choice, "fixed": self.fixed, "space": shown}
        started.begin(self.folder, content | {"monitor": plan.monitor, "lower": plan.lower})
        plan.search.begin(self.folder, self.ranges, plan.lower)
        if (self.folder / table.FILE).is_file():
            known = {row.number: row for row in table.read(self.folder)[0]}
            self.rows = {number: row for number, row in known.items() if not plan.search.theirs(number)}
        screen.say(leaderboard.opening(plan, self.folder, shown))

    def _all(self) -> None:
        number = 0
        more = True
        while more or self.running:
            while more and len(self.running) < self.plan.launcher.jobs:
                if self.plan.search.theirs(number):
                    number += 1
                    continue
                overrides = self.plan.search.overrides(number)
                more = overrides is not None
                if overrides is not None and not self._known(number, overrides):
                    self._start(number, overrides)
                number += 1
            if not self._collect_ended() and self.running:
                time.sleep(PAUSE)

    def _known(self, number: int, overrides: dict[str, str]) -> bool:
        """Whether a trial need not run again; true also if it ended while the sweep was stopped."""
        if number in self.rows and self.rows[number].status in self.plan.search.final:
            return True
        row = outcome(number, _plain(overrides), self.folder / str(number), None)
        if row.status not in Search.final:
            return False
        self._keep(row)
        return True

    def _start(self, number: int, overrides: dict[str, str]) -> None:
        folder = self.folder / str(number)
        if folder.exists() and not begun(folder):
            shutil.rmtree(folder)
        words = [*self.fixed, *(f"{name}={value}" for name, value in overrides.items())]
        trial = Trial(
            number=number,
            words=words,
            folder=folder,
            log=self.folder / f"{number}.log",
            environment=self.plan.search.environment(number),
        )
        screen.wait(leaderboard.starting(trial, _plain(overrides)))
        self.running[number] = trial, _plain(overrides), self.plan.launcher.start(trial, self.here)

    def _collect_ended(self) -> bool:
        """Record the trials that have ended; return whether there were any."""
        ended = {n: code for n, (_, _, job) in self.running.items() if (code := job.poll()) is not None}
        for number, code in ended.items():
            trial, overrides, _ = self.running.pop(number)
            self._keep(outcome(number, overrides, trial.folder, code, leaderboard.last_line(trial.log)))
            if code == 0:  # the run's console.log has the same content
                trial.log.unlink(missing_ok=True)
            if code in INTERRUPTED:
                sys.exit(code)
        return bool(ended)

    def _keep(self, row: Row) -> None:
        self.rows[row.number] = row
        if row.status != STOPPED:
            self.plan.search.tell(row)
        table.write(self.folder, self._all_rows(), self.plan.monitor)
        screen.say(leaderboard.ended(row, self.plan.monitor))

    def _all_rows(self) -> list[Row]:
        """The rows of this sweep, and of others that share its study."""
        rows = [*self.rows.values(), *self.plan.search.others()]
        return sorted(rows, key=lambda row: row.number)

    def _stop(self, code: int) -> None:
        """Let running trials write a checkpoint and end, then end with this exit status."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _, _, job in self.running.values():
            job.terminate()
        while self.running:
            ended = [n for n, (_, _, job) in self.running.items() if job.poll() is not None]
            for number in ended:
                trial, overrides, job = self.running.pop(number)
                self._keep(outcome(number, overrides, trial.folder, job.poll()))
            time.sleep(PAUSE)
        screen.say(f"Resume with: imagelab train resume={self.folder}")
        sys.exit(code)


def _in_process(context: HydraContext, task: TaskFunction, config: DictConfig) -> Callable[[Trial], int]:
    """Return a function that runs or resumes a trial like Hydra's launcher, and returns its exit status."""

    def here(trial: Trial) -> int:
        before = dict(os.environ)
        os.environ.update(trial.environment)
        try:
            with screen.aside():  # a trial is a line of the sweep's; its own lines are in its console.log
                if begun(trial.folder):
                    return task.resume(str(trial.folder), [])  # pyright: ignore[reportFunctionMemberAccess]
                run_trial(context, task, config, trial.words, trial.number)
            return 0
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(bool(end.code))
        finally:
            screen.release()  # what is printed next is not part of the trial
            for name in trial.environment:
                os.environ.pop(name, None)
            os.environ.update({name: before[name] for name in trial.environment if name in before})

    return here


def _plain(overrides: dict[str, str]) -> dict[str, str]:
    """The keys as a user types them, without Hydra's `++`."""
    return {name.lstrip("+"): value for name, value in overrides.items()}


def _leave(signum: int, _: Any) -> None:
    sys.exit(128 + signum)
