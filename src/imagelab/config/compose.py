"""Compose a config from the overrides on the command line, or explain what is wrong with them."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from imagelab.config import menu
from imagelab.config.hydra_internals import Glob, IntervalSweep, Override, beside_hydra, parse_word
from imagelab.problem import nearest

ABSENT = object()


@dataclass
class Composed:
    """The config of one job, its choices by group, keys that are in no file, and mistakes."""

    cfg: dict[str, Any] | None = None
    choices: dict[str, Any] = field(default_factory=dict)
    new_keys: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def compose(command: str, words: list[str]) -> Composed:
    """Compose one job; invalid overrides are reported and left out, so that all mistakes show at once."""
    result = Composed()
    for_hydra = []
    values = []
    for word in words:
        override, sentences = _parse(word, command)
        result.problems += sentences
        if override is None or sentences:
            continue
        if _is_choice(override, command) or override.is_delete() or override.is_hydra_override():
            for_hydra.append(_plain_choice(word, command))
        else:
            values.append(override)
    try:
        whole = _choose(menu.folder(), command, tuple(for_hydra))
        result.choices = {str(key): value for key, value in whole.hydra.runtime.choices.items()}
        cfg = OmegaConf.masked_copy(whole, [str(name) for name in whole if name != "hydra"])
        for override in values:
            _set(cfg, override, result)
        result.cfg = plain(cfg)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        result.problems.append(_explain(error))
    return result


def jobs(words: list[str]) -> list[list[str]]:
    """The jobs of a sweep to check: every value of each override at least once, not every combination.

    >>> jobs(["seed=1,2", "optimizer=sgd"])
    [['seed=1', 'optimizer=sgd'], ['seed=2', 'optimizer=sgd']]
    """
    options = [_options(word) for word in words]
    first = [values[0] for values in options]
    others = [
        [*first[:i], value, *first[i + 1 :]] for i, values in enumerate(options) for value in values[1:]
    ]
    return [first, *others]


def for_hydra(words: list[str], new_keys: set[str], command: str) -> list[str]:
    """The overrides in Hydra's form: `++` before a key that is in no file, `~finetune` for finetune=null."""
    return [
        f"++{plainest(word)}" if key(word) in new_keys else _plain_choice(word, command) for word in words
    ]


def plain(cfg: Any) -> dict[str, Any]:
    """A config as plain dicts and lists, with interpolations resolved and without Hydra's own keys."""
    node: Any = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else cfg
    return {str(name): value for name, value in node.items() if name != "hydra"}


def key(word: str) -> str:
    """The group or key that an override sets.

    >>> key("+trainer.max_time=00:01:00:00")
    'trainer.max_time'
    """
    return word.lstrip("+~").partition("=")[0]


def plainest(word: str) -> str:
    """An override without its plus signs: the user need not mark new keys."""
    return word if key(word).startswith("hydra") else word.lstrip("+")


@lru_cache
def _choose(folder: Path, command: str, choices: tuple[str, ...]) -> DictConfig:
    """Compose only the choices, which most jobs of a sweep share. Copy the result before changing it."""
    with beside_hydra(), initialize_config_dir(str(folder), version_base="1.3"):
        return hydra_compose(command, overrides=list(choices), return_hydra_config=True)


def _parse(word: str, command: str) -> tuple[Override | None, list[str]]:
    if "=" not in word and not word.startswith("~"):
        return None, [f"{word}: an override is group=choice or key=value; this one has no ="]
    try:
        override = parse_word(word)
    except HydraException:
        quoted = "=".join((key(word), f'"{word.partition("=")[2]}"'))
        return None, [f"{word}: cannot be parsed; put special characters in double quotes: '{quoted}'"]
    if override.is_sweep_override():
        values = word.partition("=")[2]
        return None, [f"{word}: several values are a sweep, add -m; for one list, set {key(word)}=[{values}]"]
    return override, _wrong_choices(override, command) if _is_choice(override, command) else []


def _is_choice(override: Override, command: str) -> bool:
    return override.key_or_group in menu.questions(command)


def _plain_choice(word: str, command: str) -> str:
    """Hydra does not take null for a group; leaving the group out is the same."""
    null = word.partition("=")[2] == "null" and menu.questions(command).get(key(word), ABSENT) is None
    return f"~{key(word)}" if null else plainest(word)


def _wrong_choices(override: Override, command: str) -> list[str]:
    group = override.key_or_group
    value = override.value()
    if override.is_delete() or (value is None and menu.questions(command)[group] is None):
        return []  # null leaves a group unanswered that need not be answered
    names = value if isinstance(value, list) else [value]
    found = menu.unknown(group, ["null" if name is None else str(name) for name in names])
    if "none" in names and len(names) > 1:
        found.append(f"{group}: none cannot be combined, got {group}=[{','.join(map(str, names))}]")
    return found


def _set(cfg: DictConfig, override: Override, result: Composed) -> None:
    """Set a key, even one that is in no file: the check against signatures decides whether it is allowed."""
    name = override.key_or_group
    try:
        if OmegaConf.select(cfg, name, default=ABSENT) is ABSENT:
            result.new_keys.add(name)
        OmegaConf.update(cfg, name, override.value(), merge=True, force_add=True)
    except OmegaConfBaseException:
        result.problems.append(f"{name}: {name.rpartition('.')[0]} is a value and has no keys")


def _options(word: str) -> list[str]:
    """Split an override with several values into one per value."""
    try:
        override = parse_word(word)
    except HydraException:
        return [word]
    name = override.get_key_element()
    value = override.value()
    if isinstance(value, Glob):
        return [f"{name}={choice}" for choice in value.filter(menu.choices(override.key_or_group))]
    if isinstance(value, IntervalSweep):
        return [f"{name}={value.start}", f"{name}={value.end}"]
    if override.is_sweep_override():
        return [f"{name}={text}" for text in override.sweep_string_iterator()]
    return [word]


def _explain(error: Exception) -> str:
    """Hydra's message on one line, without its search path, with the nearest valid name."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    stop = ("Available options", "Config search path", "full_key", "object_type")
    end = next((i for i, line in enumerate(lines) if line.startswith(stop)), len(lines))
    known = [line for line in lines[end + 1 :] if " " not in line]
    missing = lines[0].rpartition("/")[2].strip("'")
    key = getattr(error, "full_key", None)
    return (f"{key}: " if key else "") + " ".join(lines[:end]) + nearest(missing, known)
