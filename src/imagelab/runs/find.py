"""Find the folder of a run by its name or age, or what else a command takes as a network; read its status."""

import json
from contextlib import suppress
from pathlib import Path

from omegaconf import OmegaConf

from imagelab.config.compose import compose
from imagelab.config.compose import key as key_of
from imagelab.config.hydra_internals import parse_word
from imagelab.problem import Problem, nearest
from imagelab.runs.files import CONFIG, RESULTS, read_config

HUBS = HUGGING_FACE, WANDB = "hf:", "wandb:"  # hf:USER/NAME[@REVISION], wandb:ENTITY/PROJECT/NAME[:VERSION]
FILES = (".ckpt", ".safetensors")
IMAGENET = "weights"  # EfficientNet-Lite0 of a package, trained on ImageNet  # room: model/efficientnet_lite0
OF_SWEEPS = ("sweep.yaml", "multirun.yaml")  # plans of our sweeps and of Hydra's, in the folder above trials


def elsewhere(path: str | Path) -> bool:
    """Whether a path names weights on a hub, not on this machine.

    >>> elsewhere("hf:USER/NAME"), elsewhere("wandb:ENTITY/PROJECT/NAME"), elsewhere("logs/run")
    (True, True, False)
    """
    return str(path).startswith(HUBS)


def network(name: str) -> str | Path:
    """What `imagelab.load` takes: the folder of a run, a file of weights, or a name that it resolves itself.

    Args:
        name: Path of a folder or file, `last`, or the name of weights on a hub.

    Raises:
        Problem: There is no such run.
    """
    if elsewhere(name):
        return name
    if name == IMAGENET:  # room: model/efficientnet_lite0
        return name
    file = Path(name).expanduser()
    return file if file.suffix in FILES and file.is_file() else existing(name)


def existing(name: str, key: str = "run") -> Path:
    """The folder of a run by its path; `last`: the newest one that is neither a trial of a sweep nor a fold.

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
        for folder in reversed(runs):
            if not is_part(folder):
                return folder
        raise Problem(
            f"run=last: wants a run by itself, got only trials of sweeps and folds; name one, such "
            f"as run={runs[-1]}"
        )
    if elsewhere(name):
        raise Problem(
            f"{key}={name}: wants the folder of a run; weights on a hub come without metrics and data. "
            f"`imagelab predict run={name} source=FILES` and `imagelab train model.weights={name}` take them."
        )
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


def of_command(words: list[str]) -> Path | None:
    """The newest run of this very command that has begun and not finished, for `resume=auto`.

    Args:
        words: Overrides of the command. If they name `hydra.run.dir`, only that folder counts.
    """
    named = named_folder(words)
    wanted = compose("train", [word for word in words if key_of(word) != "hydra.run.dir"])
    if wanted.problems or wanted.cfg is None:
        return None
    cfg = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(wanted.cfg))))
    for folder in [named] if named else reversed(all_runs()):
        with suppress(Problem):
            counts = (folder / CONFIG).is_file() and (named or status(folder) != "finished")
            if counts and read_config(folder) == cfg:
                return folder
    return None


def named_folder(words: list[str]) -> Path | None:
    """The folder that `hydra.run.dir` names on the command line, if it does."""
    named = [word for word in words if key_of(word) == "hydra.run.dir"]
    return Path(str(parse_word(named[-1]).value())) if named else None


def all_runs() -> list[Path]:
    """The folders of all runs below logs/, oldest first."""
    return sorted((path.parent for path in Path("logs").rglob(CONFIG) if _counts(path)), key=_age)


def is_part(folder: Path) -> bool:
    """Whether a run is a trial of a sweep, or holds out a fold: one of several, which `last` cannot mean."""
    if any((above / file).is_file() for above in folder.parents for file in OF_SWEEPS):
        return True
    return read_config(folder).get("data", {}).get("fold") is not None


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
