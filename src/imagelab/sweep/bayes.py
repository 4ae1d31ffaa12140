"""Draw trials near good earlier ones, with Optuna's tree-structured Parzen estimator (TPE).

Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; Akiba et al. 2019,
"Optuna", https://arxiv.org/abs/1907.10902
"""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.runs.files import write_text
from imagelab.sweep.random_search import Random
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import DIVERGED, FAILED, FINISHED, KILLED, PRUNED, RUNNING, VARIABLE, Row

if TYPE_CHECKING:
    import optuna

FILE = "study.journal"
STATUS = {"COMPLETE": FINISHED, "PRUNED": PRUNED, "FAIL": FAILED, "RUNNING": RUNNING, "WAITING": RUNNING}
ME = "study.worker"  # a name of its own for each sweep folder that shares a study


class Bayes(Random):
    """Bayesian search; the study is kept in the sweep's folder, so a killed sweep resumes with all it knows.

    Sweeps with the same storage, on any machines, share one study: each trial is run by one of them, and all
    learn from it.

    Args:
        trials: Number of trials.
        startup: Number of trials drawn at random at the beginning.
        prune: Pruner that ends hopeless trials early: median, hyperband or none.
        patience: Epochs before a trial may be pruned.
        seed: Seed of the draws.
        storage: File on a shared disk, or URL of a database; None: a file in the sweep's folder.
        space: Ranges by key, in Hydra's syntax, besides those of the command line.
    """

    # A failed trial stays in the study: when the sweep resumes, others are drawn instead of it.
    final = (FINISHED, PRUNED, DIVERGED, FAILED, KILLED)

    def __init__(
        self,
        *,
        trials: int,
        startup: int,
        prune: Literal["median", "hyperband", "none"],
        patience: int,
        seed: int,
        storage: str | None,
        space: Node | None,
    ) -> None:
        super().__init__(trials=trials, seed=seed, space=space)
        self.storage = storage
        self.worker = ""
        self.startup = startup
        self.prune = prune
        self.patience = patience
        self.study: Any = None
        self.planned = trials

    def begin(self, folder: Path, ranges: Ranges, lower: bool) -> None:
        super().begin(folder, ranges, lower)
        from imagelab.sweep.study import agree, open_study

        self.study = open_study(self._where(), lower)
        if self.storage:
            self.worker = _name_of_worker(folder)
            space = {name: found.text() for name, found in ranges.items()}
            agree(self.study, space | {"direction": "lower" if lower else "higher"}, self.storage)
        states = [trial.state.name for trial in self.study.get_trials(deepcopy=False)]
        self.planned = self.trials + states.count("FAIL")

    def theirs(self, number: int) -> bool:
        if not self.storage or number >= self.planned:
            return False
        from imagelab.sweep.study import claim, worker_of

        while number >= len(self.study.get_trials(deepcopy=False)):
            if not claim(self.study, self.worker, self.folder, self.planned):
                return True
        return worker_of(self.study.get_trials(deepcopy=False)[number]) != self.worker

    def others(self) -> list[Row]:
        """The trials of a shared study that other workers run or have run."""
        if not self.storage:
            return []
        from imagelab.sweep.study import folder_of, worker_of

        known = self.study.get_trials(deepcopy=False)
        theirs = [trial for trial in known if worker_of(trial) != self.worker]
        return [
            Row(
                number=trial.number,
                status=STATUS[trial.state.name],
                overrides=self._values(trial.params),
                value=trial.value,
                folder=folder_of(trial),
            )
            for trial in theirs
            if trial.params.keys() >= self.ranges.keys()
        ]

    def overrides(self, number: int) -> dict[str, str] | None:
        """The values of a trial; a trial interrupted by a kill gets the same ones again."""
        import optuna

        from imagelab.sweep.study import known_trial

        if number >= self.planned:
            return None
        self.study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.startup,
            multivariate=True,
            constant_liar=True,  # keeps trials that run at the same time apart
            seed=int(stream(self.seed, "sweep", number).integers(2**31)),
        )
        known = self.study.get_trials(deepcopy=False)
        if number < len(known) and known[number].state.is_finished():
            return self._values(known[number].params)
        asked = known_trial(self.study, number) if number < len(known) else self.study.ask()
        try:
            found = {name: suggested(asked, name, found) for name, found in self.ranges.items()}
        except (ValueError, TypeError) as error:  # it has been given other ranges
            raise Problem(f"{self._where()}: trial {number} belongs to another search ({error}).") from error
        return self._values(found)

    def environment(self, number: int) -> dict[str, str]:
        if self.prune == "none":
            return {}
        from imagelab.sweep.study import place_of

        return {VARIABLE: f"{number}:{self.prune}:{self.patience}:{place_of(self._where())}"}

    def tell(self, row: Row) -> None:
        from optuna.trial import TrialState

        if self.study.get_trials(deepcopy=False)[row.number].state.is_finished():
            return
        if row.status == FINISHED and row.value is not None:
            self.study.tell(row.number, row.value)
        else:  # the sampler avoids what was pruned or diverged, and learns nothing from failures
            bad = row.status in (PRUNED, DIVERGED)
            self.study.tell(row.number, state=TrialState.PRUNED if bad else TrialState.FAIL)

    def _where(self) -> str:
        return self.storage or str(self.folder / FILE)

    def _values(self, params: dict[str, Any]) -> dict[str, str]:
        """The values of a trial as typed; only such as can be drawn: a study may come from elsewhere."""
        return {name: shown(found, params.get(name), name) for name, found in self.ranges.items()}


def _name_of_worker(folder: Path) -> str:
    """The name of the worker that this folder belongs to, a new one for a new folder."""
    if not (folder / ME).is_file():
        write_text(folder / ME, uuid.uuid4().hex)
    return (folder / ME).read_text(encoding="utf-8")


def suggested(asked: "optuna.trial.Trial", name: str, found: Range) -> Any:
    """Ask Optuna for a value; a trial that already has one gets the same."""
    if not isinstance(found, Interval):
        return asked.suggest_categorical(name, found.words)
    if found.whole:
        return asked.suggest_int(name, int(found.low), int(found.high), log=found.log)
    return asked.suggest_float(name, found.low, found.high, log=found.log)


def shown(found: Range, value: Any, name: str) -> str:
    """A value of a study as typed on the command line.

    Raises:
        Problem: It is none that could be drawn.
    """
    if isinstance(found, Interval):
        if isinstance(value, int | float) and found.low <= value <= found.high:
            return found.shown(value)
    elif str(value) in found.words:
        return str(value)
    raise Problem(
        f"The study has {name}={value!r}, which is not in {found.text()}: it is damaged or a stranger's."
    )
