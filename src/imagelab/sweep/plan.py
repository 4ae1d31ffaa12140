"""Plan a sweep from the words of `imagelab train -m`."""

from dataclasses import dataclass
from typing import Any

from imagelab.config.compose import compose, jobs, key
from imagelab.config.hydra_internals import parse_word
from imagelab.config.make import make
from imagelab.config.monitor import lower_is_better_of, monitored
from imagelab.sweep import space, started
from imagelab.sweep.grid import Grid
from imagelab.sweep.launcher import Launcher
from imagelab.sweep.search import Search

GROUPS = ("sweep", "launcher")
LENGTH = "trainer.max_epochs"
COARSE, NAMES = "sweep.coarse", ("from", "sweep.from")  # `from` is no name that Python lets an argument have


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep does.

    Args:
        typed: Words of the command line, which repeat the same sweep.
        words: Overrides of the trials: fixed values, and a range for each searched key.
        choice: Keys of the chosen `sweep=`; None if only values were typed.
        search: The chosen search.
        launcher: Where trials run.
        monitor: The metric that trials are compared by.
        lower: Whether a lower value is better.
    """

    typed: list[str]
    words: list[str]
    choice: dict[str, Any] | None
    search: Search
    launcher: Launcher
    monitor: str
    lower: bool


def named(words: list[str]) -> list[str]:
    """The words, with those of the sweep that `from=FOLDER` names before them.

    A range for `sweep.space.KEY` is the same as one for KEY, and `from` has another name in the config.

    Raises:
        Problem: It names no sweep.
    """
    words = [word.lstrip("+").removeprefix("sweep.space.") for word in words]
    words = [f"{COARSE}={word.partition('=')[2]}" if key(word) in NAMES else word for word in words]
    coarse = [word.partition("=")[2] for word in words if key(word) == COARSE]
    if not coarse:
        return words
    folder = started.existing(coarse[-1], "from")
    coarser = started.read(folder)
    anew = {*map(key, words), *coarser["space"], LENGTH}  # said now, to be narrowed, or for `epochs` to say
    before = [word for word in coarser["typed"] if key(word) not in anew]
    kept = [word for word in before if key(word).partition(".")[0] not in ("sweep", "hydra")]
    return [*kept, *(word for word in words if key(word) != COARSE), f"{COARSE}={folder}"]


def make_plan(words: list[str]) -> Plan:
    """The plan of a sweep.

    Args:
        words: Words of the command line; all that is left to check are the ranges of the search.

    Raises:
        Problem: The search cannot be.
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
    fixed = [word for word in search.words() if key(word) not in found]
    return Plan(
        typed=words,
        words=[*trial, *fixed, *(f"{name}={text}" for name, text in more.items())],
        choice=choice,
        search=search,
        launcher=make(cfg["launcher"]),
        monitor=monitored(cfg),
        lower=lower_is_better_of(cfg, monitored(cfg)),
    )
