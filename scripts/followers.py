"""Find choices and configs that go with others: no module builds, no task takes or no choice brings them."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from imagelab.config.menu import BROUGHT
from scripts.asked import Choice

CHOICE = re.compile(r"configs/(\w+/\w+)\.yaml")
EXAMPLE = re.compile(r"(?m)^# +imagelab train .*?\btask=(\w+)")


def chosen(files: Collection[str]) -> dict[str, str]:
    """The files of all choices, each with its `group/choice`; nobody chooses the values that others bring.

    >>> chosen(["configs/trick/ema.yaml", "configs/start/gan.yaml", "configs/train.yaml"])
    {'configs/trick/ema.yaml': 'trick/ema'}
    """
    found = {path: match.group(1) for path in files if (match := CHOICE.fullmatch(path))}
    return {path: choice for path, choice in found.items() if not choice.startswith(tuple(_brought()))}


def unbuilt(left: Mapping[str, str], known: Collection[str]) -> list[str]:
    """The choices whose module has gone, `group/choice`.

    >>> unbuilt({"configs/loss/hinge.yaml": "_target_: imagelab.loss.adversarial.Hinge"}, ["imagelab.loss"])
    ['loss/hinge']
    """
    return [
        choice
        for path, choice in chosen(left).items()
        if any(
            target.rpartition(".")[0] not in known
            for target in re.findall(r"(?m)^\s*_target_: (imagelab(?:\.\w+)+)", left[path])
        )
    ]


def untaken(files: Mapping[str, str], left: Mapping[str, str]) -> list[str]:
    r"""The choices that only removed tasks take: each example command in their files asks for one.

    >>> huber = "# Huber.\n# imagelab train task=regress loss=huber\n"
    >>> untaken({"configs/loss/huber.yaml": huber}, {"configs/loss/huber.yaml": "# Huber.\n"})
    ['loss/huber']
    """
    tasks = {path: EXAMPLE.findall(files[path]) for path in left if path in files}
    return [
        choice
        for path, choice in chosen(left).items()
        if tasks.get(path) and not any(f"configs/task/{task}.yaml" in left for task in tasks[path])
    ]


def recipes(left: Mapping[str, str], choice: Choice) -> list[str]:
    r"""The recipes that ask for a choice, `experiment/name`: without it they would be other recipes.

    >>> photos = {"configs/experiment/photos.yaml": "defaults:\n  - override /augment: [flip, crop]\n"}
    >>> recipes(photos, Choice("augment", "crop"))
    ['experiment/photos']
    """
    return [
        path[8:-5]
        for path, text in left.items()
        if re.fullmatch(r"configs/(experiment|debug)/\w+\.yaml", path) and choice.name in text
        if any(
            choice.name in _listed(entry, choice.group) for entry in yaml.safe_load(text).get("defaults", [])
        )
    ]


def _listed(entry: Any, group: str) -> list[str]:
    """The choices that an entry of `defaults` makes in a group."""
    names = entry.get(f"override /{group}", []) if isinstance(entry, dict) else []
    return names if isinstance(names, list) else [names]


def unbrought(left: Mapping[str, str]) -> set[str]:
    """Files of values for other groups that no choice brings any more.

    >>> unbrought({"configs/start/gan.yaml": "", "configs/task/classify.yaml": ""})
    {'configs/start/gan.yaml'}
    """
    configs = [text for path, text in left.items() if path.startswith("configs/")]
    return {
        path
        for path in left
        if path.startswith(tuple(f"configs/{folder}" for folder in _brought()))
        and not any(f"/{path[8:-5]}@" in text for text in configs)
    }


def _brought() -> Iterator[str]:
    return (f"{folder}/" for folder in BROUGHT)
