"""Open Optuna's study of a sweep, shared by several processes; private API is only used here.

A journal file holds lines of JSON, a database rows of JSON and numbers: neither can hold code.
"""

import json
import re
import time
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from imagelab.problem import Problem

DATABASES = ("postgresql", "mysql", "sqlite")
# Packages by the module that SQLAlchemy misses: which one it takes for a database depends on its version.
DRIVERS = {"psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
WORKER, FOLDER = "worker", "folder"  # attributes of a trial: who runs it, and the folder of the sweep there
SEARCH = "search"  # attribute of a study: what is searched
TICKETS = "tickets"  # a study beside it that only counts


def open_study(
    where: str | Path, lower: bool, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """Open a study, or begin it.

    Args:
        where: Path of its journal file, or URL of a database.
        lower: Whether lower values are better.
        pruner: Pruner that ends hopeless trials.

    Raises:
        Problem: It cannot be opened, or is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "minimize" if lower else "maximize"
    shown = re.sub(r"://([^:/@]*):[^@]*@", r"://\1:***@", str(where))  # without a password
    try:
        return optuna.create_study(
            study_name="sweep",
            storage=_storage(str(where)),
            pruner=pruner,
            direction=direction,
            load_if_exists=True,
        )
    except Problem:
        raise
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "of the database"
        driver = DRIVERS.get(missing, missing)
        raise Problem(f"sweep.storage: {shown} needs a driver; run pip install {driver}") from error
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Problem(f"sweep.storage: {shown} is damaged, or is not a journal of Optuna.") from error
    except Exception as error:  # each database has errors of its own
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise Problem(f"sweep.storage: {shown} cannot be opened: {reason}") from error


def place_of(where: str) -> str:
    """A storage as other working directories name it: a database's URL, or the absolute path of a file."""
    return where if "://" in where else str(Path(where).expanduser().absolute())


def known_trial(study: optuna.Study, number: int) -> optuna.trial.Trial:
    """Return an existing trial, to suggest values for it or to report on it."""
    return optuna.trial.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def agree(study: optuna.Study, search: dict[str, str], where: str) -> None:
    """Let the first worker note what is searched, and compare it for the others.

    Args:
        study: The shared study.
        search: What is searched, in plain words.
        where: Storage of the study.

    Raises:
        Problem: The study is that of another search.
    """
    if SEARCH not in study.user_attrs:
        study.set_user_attr(SEARCH, search)
    theirs = study.user_attrs[SEARCH]
    if theirs != search:
        names = sorted(name for name in {*theirs, *search} if theirs.get(name) != search.get(name))
        first = names[0]
        raise Problem(
            f"sweep.storage: {where} holds another search, with {first}={theirs.get(first)} instead of "
            f"{search.get(first)}; choose another file or database."
        )


def claim(study: optuna.Study, worker: str, folder: Path, count: int) -> bool:
    """Add a trial that this worker is to run, in its folder; return whether one was left.

    The number of the trial is the next of all workers. A ticket comes first, so that two workers that ask at
    once for the last trial do not make two; a worker killed between the two leaves one trial out.

    Args:
        study: The shared study.
        worker: Name of this worker.
        folder: Folder of the sweep on this machine.
        count: Number of trials of all workers.
    """
    storage = study._storage
    tickets = optuna.create_study(study_name=TICKETS, storage=storage, load_if_exists=True)
    ticket = storage.create_new_trial(tickets._study_id)
    if storage.get_trial(ticket).number >= count:
        return False
    attributes = {WORKER: worker, FOLDER: str(folder.absolute())}
    study.add_trial(optuna.create_trial(state=TrialState.RUNNING, user_attrs=attributes))
    return True


def worker_of(trial: FrozenTrial) -> str | None:
    """The worker that runs a trial of a shared study."""
    return trial.user_attrs.get(WORKER)


def folder_of(trial: FrozenTrial) -> Path:
    """The folder of a trial of a shared study, on the machine of its worker."""
    return Path(trial.user_attrs[FOLDER]) / str(trial.number)


def _storage(where: str) -> BaseStorage:
    scheme, is_url, _ = where.partition("://")
    if is_url:
        if scheme.partition("+")[0] not in DATABASES:
            known = ", ".join(f"{name}://" for name in DATABASES)
            raise Problem(
                f"sweep.storage: {scheme}:// is not a known database; choose {known} or a file on a shared "
                "disk."
            )
        try:
            return RDBStorage(where)
        except SQLAlchemyError:  # another worker is making the tables
            time.sleep(1)
            return RDBStorage(where)
    if not Path(where).parent.is_dir():
        raise Problem(f"sweep.storage: there is no folder {Path(where).parent}; create it first.")
    return JournalStorage(JournalFileBackend(where))
