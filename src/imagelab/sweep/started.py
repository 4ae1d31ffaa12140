"""Find, read and resume sweeps; sweep.yaml in a sweep's folder holds its plan."""

from pathlib import Path
from typing import Any

import yaml

from imagelab.config.hydra_internals import quoted
from imagelab.config.trust import refuse_untrusted, refuse_untrusted_words
from imagelab.metrics.table import lower_is_better
from imagelab.problem import Problem, nearest
from imagelab.runs import files

FILE, LAUNCHER = "sweep.yaml", "launcher"
MORE = ("trials", "points")  # keys of a search that may grow when a sweep is resumed


def existing(name: str, key: str) -> Path:
    """Find the folder of a sweep by its path; `last`: the newest one.

    Args:
        name: Path of the folder, or `last`.
        key: Key to name in messages.

    Raises:
        Problem: If there is no such sweep.
    """
    found = [path.parent for path in sorted(Path("logs").rglob(FILE), key=lambda path: path.stat().st_mtime)]
    if name == "last" and found:
        return found[-1]
    if name == "last":
        raise Problem(
            f"{key}=last: there is no sweep below logs/ yet; run `imagelab train -m sweep=coarse` first."
        )
    folder = Path(name)
    if not (folder / FILE).is_file():
        others = [str(path) for path in found]
        hint = nearest(name, others) or (f"; the newest one is {others[-1]}" if others else "")
        raise Problem(f"{key}={name} is not the folder of a sweep (no {FILE} in it){hint}.")
    return folder


def is_sweep(name: str) -> bool:
    """Whether this is the folder of a sweep."""
    return (Path(name) / FILE).is_file()


def read(folder: Path) -> dict[str, Any]:
    """Read the plan of a sweep.

    `typed`: its overrides. `choice`: the keys of its `sweep=`, or None. `fixed`: overrides of all trials.
    `space`: searched ranges by key, in Hydra's syntax. `monitor`: metric that trials are compared by.
    `lower`: whether lower values of it are better.

    Raises:
        Problem: If it holds no plan, or could run code.
    """
    content = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise Problem(f"{folder / FILE} is empty: the sweep was killed before it began. Start it again.")
    refuse_untrusted(content, folder / FILE)
    ranges = [f"{key}={text}" for key, text in content["space"].items()]  # overrides of the trials, too
    refuse_untrusted_words([*content["typed"], *content["fixed"], *ranges], folder / FILE)
    # Older sweeps did not store it; their metric is in the table.
    return content if "lower" in content else content | {"lower": lower_is_better(content["monitor"])}


def begin(folder: Path, content: dict[str, Any]) -> None:
    """Save the plan of a sweep; a resumed one may only have more trials or another launcher.

    Raises:
        Problem: If the folder belongs to another sweep.
    """
    if (folder / FILE).is_file():
        before = read(folder)
        if _same(before) != _same(content):
            was = " ".join(before["typed"])
            raise Problem(
                f"{folder} is the folder of another sweep ({was}); resume that one with resume={folder}, "
                "or choose a new folder with hydra.sweep.dir=DIR."
            )
    files.write_text(folder / FILE, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def again(folder: Path, changes: list[str]) -> list[str]:
    """The words that resume a sweep.

    Args:
        folder: Folder of the sweep.
        changes: Overrides to add, such as another launcher or more trials.
    """
    changes = [word for word in changes if word not in ("-m", "--multirun")]
    changed = {word.partition("=")[0].lstrip("+") for word in [*changes, "hydra.sweep.dir="]}
    words = [word for word in read(folder)["typed"] if word.partition("=")[0] not in changed]
    if LAUNCHER in changed:  # the keys of one launcher mean nothing to another
        words = [word for word in words if not word.startswith(f"{LAUNCHER}.")]
    return ["-m", *words, *changes, f"hydra.sweep.dir={quoted(folder)}"]


def _same(content: dict[str, Any]) -> Any:
    choice = {key: value for key, value in (content["choice"] or {}).items() if key not in MORE}
    return choice, sorted(content["fixed"]), sorted(content["space"].items()), content["monitor"]
