"""Draw trials near good earlier ones, with Optuna's tree-structured Parzen estimator (TPE).

Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; Akiba et al. 2019,
"Optuna", https://arxiv.org/abs/1907.10902
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagelab.randomness import stream
from imagelab.sweep.random_search import Random
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import DIVERGED, FAILED, FINISHED, KILLED, PRUNED, VARIABLE, Row

if TYPE_CHECKING:
    import optuna

FILE = "study.journal"


class Bayes(Random):
    """Bayesian search; the study is kept in the sweep's folder, so a killed sweep resumes with all it knows.

    Args:
        trials: Number of trials.
        startup: Number of trials drawn at random at the beginning.
        prune: Pruner that ends hopeless trials early: median, hyperband or none.
        patience: Epochs before a trial may be pruned.
        seed: Seed of the draws.
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
        space: Node | None,
    ) -> None:
        super().__init__(trials=trials, seed=seed, space=space)
        self.startup = startup
        self.prune = prune
        self.patience = patience
        self.study: Any = None
        self.planned = trials

    def begin(self, folder: Path, ranges: Ranges, lower: bool) -> None:
        super().begin(folder, ranges, lower)
        from imagelab.sweep.study import open_study

        self.study = open_study(folder / FILE, lower)
        states = [trial.state.name for trial in self.study.get_trials(deepcopy=False)]
        self.planned = self.trials + states.count("FAIL")

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
            return {name: shown(found, known[number].params[name]) for name, found in self.ranges.items()}
        asked = known_trial(self.study, number) if number < len(known) else self.study.ask()
        return {name: shown(found, suggested(asked, name, found)) for name, found in self.ranges.items()}

    def environment(self, number: int) -> dict[str, str]:
        if self.prune == "none":
            return {}
        return {VARIABLE: f"{number}:{self.prune}:{self.patience}:{(self.folder / FILE).absolute()}"}

    def tell(self, row: Row) -> None:
        from optuna.trial import TrialState

        if self.study.get_trials(deepcopy=False)[row.number].state.is_finished():
            return
        if row.status == FINISHED and row.value is not None:
            self.study.tell(row.number, row.value)
        else:  # the sampler avoids what was pruned or diverged, and learns nothing from failures
            bad = row.status in (PRUNED, DIVERGED)
            self.study.tell(row.number, state=TrialState.PRUNED if bad else TrialState.FAIL)


def suggested(asked: "optuna.trial.Trial", name: str, found: Range) -> Any:
    """Ask Optuna for a value; a trial that already has one gets the same."""
    if not isinstance(found, Interval):
        return asked.suggest_categorical(name, found.words)
    if found.whole:
        return asked.suggest_int(name, int(found.low), int(found.high), log=found.log)
    return asked.suggest_float(name, found.low, found.high, log=found.log)


def shown(found: Range, value: Any) -> str:
    """A value of Optuna as typed on the command line."""
    return found.shown(value) if isinstance(found, Interval) else str(value)
