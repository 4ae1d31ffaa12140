"""Open Optuna's study of a sweep, a file shared by several processes; private API is only used here."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def open_study(file: Path, lower: bool, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """Open the study in a file.

    Args:
        file: File of the study, created if it does not exist.
        lower: Whether lower values are better.
        pruner: Pruner that ends hopeless trials.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "minimize" if lower else "maximize"
    storage = JournalStorage(JournalFileBackend(str(file)))
    return optuna.create_study(
        study_name="sweep", storage=storage, pruner=pruner, direction=direction, load_if_exists=True
    )


def known_trial(study: optuna.Study, number: int) -> optuna.trial.Trial:
    """Return an existing trial, to suggest values for it or to report on it."""
    return optuna.trial.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
