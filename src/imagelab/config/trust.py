"""Decide what a file may name: this project's choices and plain library classes; nothing else is built.

A config typed by the user may name anything. One read from a run folder, a checkpoint, an exported file or a
sweep may come from a stranger, and whatever its `_target_` names would be called.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from imagelab.config import menu
from imagelab.problem import Problem

VARIABLE = "IMAGELAB_TRUST"  # what else is trusted, in this process and its children
LIBRARIES = re.compile(
    r"torch\.nn\.[A-Z]\w*|torch\.optim\.[A-Z]\w*|timm\.optim\.[A-Z]\w*|timm\.create_model"
    r"|torchvision\.models\.[a-z]\w*|torchvision\.transforms\.v2\.[A-Z]\w*|albumentations\.[A-Z]\w*"
)
ROOMS = (
    "augment",
    "data",
    "finetune",
    "logger",
    "loss",
    "model",
    "optimizer",
    "schedule",
    "sweep",
    "task",
    "trick",
)
UNSAFE_KEYS = {"checkpoint_path"}  # timm would unpickle the file
HYDRAS_OWN = re.compile(r"hydra\.((run|sweep)\.(dir|subdir)|verbose)$")
RESOLVER = re.compile(r"\$\{.*:", re.S)  # OmegaConf calls it: ${oc.decode:...} makes a node of any text
# Options of sbatch that only choose machines and words; others, such as export and wrap, run what they name.
SBATCH = re.compile(
    r"account|begin|comment|constraint|deadline|exclude|exclusive|gres|hold|job-name|licenses|mail-type|mail-user"
    r"|mem-per-cpu|mem-per-gpu|nice|nodelist|partition|priority|qos|reservation|signal|switches"
)


def refuse_untrusted(content: Any, where: object) -> None:
    """Refuse a config or card from a file if it names anything that is not trusted.

    Args:
        content: Plain data, nested in any way.
        where: Name of the file in the message.

    Raises:
        Problem: If it names something that could run code; the message says how to trust it.
    """
    for target in targets(content):
        if not trusted(target):
            module = str(target).rpartition(".")[0] or target
            raise Problem(
                f"{where} names {str(target)[:200]!r}, which is not one of this project's choices and could "
                f"run any code; if you trust the source of the file, add trust={module}"
            )
    for text in commands(content):
        raise Problem(f"{where} holds {text[:200]!r}, which could run any code: remove it from the file")


def refuse_untrusted_words(words: Iterable[Any], where: object) -> None:
    """Refuse overrides from a file if they name what is not trusted, or change Hydra itself.

    Raises:
        Problem: If one does; the message names it.
    """
    for word in map(str, words):
        key = word.lstrip("+~").partition("=")[0]
        named = re.findall(r"_target_['\"]?\s*[=:]\s*['\"]?([^\s,'\"}\]]*)", word)
        hydras = key.startswith("hydra") and not HYDRAS_OWN.match(key)
        flag = word.startswith("-") or key == "trust" or "@" in key
        if hydras or flag or len(named) < word.count("_target_"):
            raise Problem(f"{where} holds {word[:200]!r}, which could run any code: remove it from the file")
        refuse_untrusted([{"_target_": target} for target in named], where)
        refuse_untrusted([word, _nested(key, word)], where)


def targets(content: Any) -> Iterator[Any]:
    """Yield every `_target_` at any depth, and keys that are equally dangerous."""
    if isinstance(content, dict):
        if "_target_" in content:
            yield content["_target_"]
        for key, value in content.items():
            if key in UNSAFE_KEYS and value:
                yield key
            yield from targets(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from targets(value)


def commands(content: Any) -> Iterator[str]:
    """Yield every text at any depth that a library would run: a resolver, or an option of sbatch."""
    if isinstance(content, dict):
        launcher = content.get("launcher")
        if isinstance(launcher, dict):
            yield from _sbatch(launcher)
        for key, value in content.items():
            yield from commands(key)
            yield from commands(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from commands(value)
    elif isinstance(content, str) and RESOLVER.search(content):
        yield content


def trusted(target: Any) -> bool:
    """Whether a file may name this target.

    >>> [trusted(name) for name in ("torch.nn.GELU", "torch.hub.load", "imagelab.runs.files.write_text")]
    [True, False, False]
    """
    if not isinstance(target, str):
        return False
    asked = (target, *_above(target))
    known = target in _in_configs(menu.folder()) or bool(LIBRARIES.fullmatch(target)) or _is_own(target)
    return known or any(name in trusted_names() for name in asked)


def trusted_names() -> list[str]:
    """Modules, classes and files that the user trusts."""
    return [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]


def trust(names: Iterable[str]) -> None:
    """Trust modules, classes or files from now on, in this process and its children."""
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*trusted_names(), *names]))


def trust_typed(cfg: Any) -> None:
    """Trust what a typed config names, so that the run's own files may name it in this process."""
    trust(str(target) for target in targets(cfg) if not trusted(target))


@contextmanager
def trusting(names: Iterable[str]) -> Iterator[None]:
    """Trust modules, classes or files within a `with` block."""
    before = os.environ.get(VARIABLE)
    trust(names)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def take_words(words: list[str]) -> list[str]:
    """Trust what `trust=MODULE` or `trust=[A,B]` names, and return the other words."""
    said = [word for word in words if word.lstrip("+").startswith("trust=")]
    for word in said:
        trust(name.strip(" '\"") for name in word.partition("=")[2].strip("[] ").split(","))
    return [word for word in words if word not in said]


def _sbatch(launcher: dict[Any, Any]) -> Iterator[str]:
    """Options of a job that are more than a name or a number: a line break in one starts a command."""
    more = launcher.get("more")
    options = more if isinstance(more, dict) else {}
    yield from (
        f"launcher.more.{name}" for name in options if not SBATCH.fullmatch(str(name).replace("_", "-"))
    )
    for name, value in (launcher | options).items():
        if isinstance(value, str) and not value.isprintable():
            yield f"launcher.{name}: {value}"


def _nested(key: str, word: str) -> Any:
    """What an override sets, as a config has it: `launcher.jobs=2` is {"launcher": {"jobs": 2}}."""
    from hydra.errors import HydraException

    from imagelab.config.hydra_internals import parse_word

    try:
        node: Any = parse_word(word).value()
    except HydraException:  # refused when it is used
        return None
    for part in reversed(key.split(".")):
        node = {part: node}
    return node


def _above(target: str) -> Iterator[str]:
    parts = target.split(".")
    return (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))


@cache
def _in_configs(folder: Path) -> frozenset[str]:
    """Targets in the config files of this checkout: the shipped choices and the user's own."""
    files = folder.rglob("*.yaml")
    found = (
        re.findall(r"^\s*_target_:\s*([\w.]+)", file.read_text(encoding="utf-8"), re.M) for file in files
    )
    return frozenset(target for targets in found for target in targets)


def _is_own(target: str) -> bool:
    """Whether this package defines the target, as a class of a config group or a function in `model/`."""
    package, *parts = target.split(".")
    if package != __name__.partition(".")[0] or len(parts) < 3 or parts[0] not in ROOMS:
        return False
    file = Path(__file__).parents[1].joinpath(*parts[:-1]).with_suffix(".py")
    if not file.is_file():
        return False
    kinds = (ast.ClassDef, ast.FunctionDef) if parts[0] == "model" else (ast.ClassDef,)
    return any(
        isinstance(node, kinds) and node.name == parts[-1] for node in ast.parse(file.read_text()).body
    )
