"""The folders of runs: found again by name or by age, their files written and read back."""

import json
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from imagelab.problem import Problem, nearest

CONFIG, RESULTS = "config.yaml", "results.json"


def existing(name: str, key: str = "run") -> Path:
    """The folder of a run by its path; `last`: the newest one.

    Args:
        name: As the user says it.
        key: What the user says it with.

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
    """The folder of a run to go on with; `last`: the newest one that has not finished.

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
    """finished, stopped or failed; killed where nothing could be written any more."""
    results = folder / RESULTS
    return str(json.loads(results.read_text())["status"]) if results.is_file() else "killed"


def write_config(cfg: dict[str, Any], folder: Path) -> None:
    """Keep the whole config of a run in its folder."""
    write_text(folder / CONFIG, OmegaConf.to_yaml(OmegaConf.create(cfg)))


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a run, plain data."""
    try:
        cfg = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
    except (OSError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise Problem(f"{folder / CONFIG} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, dict) or not cfg:
        raise Problem(f"{folder / CONFIG} holds no config: the run was killed before it began.")
    return {str(key): value for key, value in cfg.items()}


def write_json(path: Path, content: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a JSON file whole or not at all; numbers that are none become null."""
    write_text(path, json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, torch's tensors
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return (
        None
        if (isinstance(value, float) and value in (float("inf"), float("-inf"))) or value != value
        else value
    )


def _counts(path: Path) -> bool:
    return ".hydra" not in path.parts and path.stat().st_size > 0  # a kill can leave an empty one


def _age(folder: Path) -> tuple[float, str]:
    return (folder / CONFIG).stat().st_mtime, folder.name
