"""Plan a sweep from the words of `imagelab train -m`."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from imagelab.config.compose import compose, jobs, key
from imagelab.config.hydra_internals import parse_word, plain_value, quoted
from imagelab.config.make import make
from imagelab.config.monitor import lower_is_better_of, monitored
from imagelab.sweep import space, started
from imagelab.sweep.grid import Grid
from imagelab.sweep.launcher import Launcher
from imagelab.sweep.search import Search

GROUPS = ("sweep", "launcher")
LENGTH = "trainer.max_epochs"
COARSE, NAMES = "sweep.coarse", ("from", "sweep.from")  # an argument in Python cannot be named `from`


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of a sweep.

    Args:
        typed: Words of the command line, which repeat the sweep.
        words: Overrides of the trials: fixed values, and a range for each searched key.
        choice: Keys of the chosen `sweep=`; None if only values were typed.
        search: Search that draws the trials.
        launcher: Launcher that runs the trials.
        monitor: Metric that trials are compared by.
        lower: Whether lower values of it are better.
    """

    typed: list[str]
    words: list[str]
    choice: dict[str, Any] | None
    search: Search
    launcher: Launcher
    monitor: str
    lower: bool


def named(words: list[str]) -> list[str]:
    """The words, preceded by those of the sweep that `from=FOLDER` names.

    A range for `sweep.space.KEY` equals one for KEY, and `from` has another name in the config.

    Raises:
        Problem: If `from` does not name a sweep.
    """
    words = [word.lstrip("+").removeprefix("sweep.space.") for word in words]
    words = [f"{COARSE}={word.partition('=')[2]}" if key(word) in NAMES else word for word in words]
    coarse = [plain_value(word) for word in words if key(word) == COARSE]
    if not coarse:
        return words
    folder = started.existing(coarse[-1], "from")
    coarser = started.read(folder)
    new = {*map(key, words), *coarser["space"], LENGTH}  # typed now, narrowed, or set by `epochs`
    before = [word for word in coarser["typed"] if key(word) not in new]
    kept = [word for word in before if key(word).partition(".")[0] not in ("sweep", "hydra")]
    return [*kept, *(word for word in words if key(word) != COARSE), f"{COARSE}={quoted(folder)}"]


def make_plan(words: list[str]) -> Plan:
    """Plan a sweep.

    Args:
        words: Valid words of the command line; only the ranges of the search are still unchecked.

    Raises:
        Problem: If the search is impossible.
    """
    cfg = compose("train", jobs(words)[0]).cfg or {}
    trial = [word for word in words if key(word).partition(".")[0] not in GROUPS]
    overrides = [parse_word(word) for word in trial]
    found = {override.key_or_group: space.range_of(override, override.key_or_group) for override in overrides}
    typed = {name: searched for name, searched in found.items() if searched is not None}
    choice = cfg["sweep"]
    search = make(choice) if choice else Grid(points=0, space=None)
    more = {name: text for name, text in search.searched(typed, cfg).items() if name not in found}
    for name, text in more.items():
        space.parsed(name, text, f"sweep.space.{name}")
    fixed = [word for word in search.words() if not _is_answered(key(word), found)]
    return Plan(
        typed=words,
        words=[*trial, *fixed, *(f"{name}={text}" for name, text in more.items())],
        choice=choice,
        search=search,
        launcher=make(cfg["launcher"]),
        monitor=monitored(cfg),
        lower=lower_is_better_of(cfg, monitored(cfg)),
    )


def _is_answered(name: str, typed: Collection[str]) -> bool:
    """Whether the command line answers a key or a group, itself or by a recipe."""
    parts = {one.partition(".")[0] for one in typed}
    return name in typed or ("." not in name and not parts.isdisjoint({name, "experiment"}))
