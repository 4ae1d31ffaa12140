"""Find the folder of a run by its name or age, and read its status."""

import json
from pathlib import Path

from imagelab.problem import Problem, nearest
from imagelab.runs.files import CONFIG, RESULTS


def existing(name: str, key: str = "run") -> Path:
    """The folder of a run by its path; `last`: the newest one.

    Args:
        name: Path of the folder, or `last`.
        key: Config key that named it, for the message.

    Raises:
        Problem: There is no such run; the nearest existing path is named.
    """
    if name == "last":
        runs = all_runs()
        if not runs:
            raise Problem("run=last: there is no run below logs/ yet; `imagelab train` makes one.")
        return runs[-1]
    folder = Path(name)
    if not (folder / CONFIG).is_file():
        others = [str(path) for path in all_runs()]
        hint = nearest(name, others)
        newest = f"; the newest run is {others[-1]}" if others and not hint else ""
        raise Problem(f"{key}={name} is not the folder of a run (no {CONFIG} in it){hint or newest}.")
    return folder


def unfinished(name: str) -> Path:
    """The folder of a run to resume; `last`: the newest one that has not finished.

    Raises:
        Problem: There is none, or it has finished.
    """
    if name == "last":
        open_runs = [folder for folder in all_runs() if status(folder) != "finished"]
        if not open_runs:
            raise Problem("resume=last: every run below logs/ has finished.")
        return open_runs[-1]
    folder = existing(name, "resume")
    if status(folder) == "finished":
        raise Problem(
            f"resume={name}: this run has finished; `imagelab evaluate run={name}` shows its metrics, and "
            f"`imagelab train model.weights={name}` starts a new run from its weights."
        )
    return folder


def all_runs() -> list[Path]:
    """The folders of all runs below logs/, oldest first."""
    return sorted((path.parent for path in Path("logs").rglob(CONFIG) if _counts(path)), key=_age)


def status(folder: Path) -> str:
    """finished, stopped or failed; killed if the run left no results."""
    results = folder / RESULTS
    return str(json.loads(results.read_text())["status"]) if results.is_file() else "killed"


def has_trained(folder: Path) -> bool:
    """Whether a run has left metrics or results, so has trained for a while."""
    metrics = folder / "metrics.csv"
    return (folder / RESULTS).is_file() or (metrics.is_file() and metrics.read_bytes().count(b"\n") > 1)


def _counts(path: Path) -> bool:
    return ".hydra" not in path.parts and path.stat().st_size > 0  # a kill can leave an empty one


def _age(folder: Path) -> tuple[float, str]:
    return (folder / CONFIG).stat().st_mtime, folder.name
