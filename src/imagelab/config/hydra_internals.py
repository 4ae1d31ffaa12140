"""Wrap everything that Hydra does not document: its grammar, its flags and one job of a sweep."""

import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.core.utils import run_job, setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

__all__ = [
    "Glob",
    "IntervalSweep",
    "Override",
    "beside_hydra",
    "parse_flags",
    "parse_word",
    "plain_value",
    "quoted",
    "quoted_table",
    "run_trial",
]


@contextmanager
def beside_hydra() -> Iterator[None]:
    """Let another config be composed while Hydra runs a command, as a report does to check its advice."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running


def parse_flags() -> tuple[Namespace, list[str]]:
    """Parse the command line into Hydra's flags (with `overrides`) and the flags that it does not know."""
    return get_args_parser().parse_known_intermixed_args()


def parse_word(word: str) -> Override:
    """Parse group=choice, key=value or a range of values.

    Raises:
        HydraException: If the word breaks the grammar.
    """
    return OverridesParser.create().parse_override(word)


def quoted(value: object) -> str:
    r"""A value as Hydra reads it: in double quotes if it has other than plain characters.

    >>> print(quoted("logs/a-1"), quoted("a (1), b"))
    logs/a-1 "a (1), b"
    """
    text = str(value)
    if re.fullmatch(r"[\w/.+-]+", text, re.ASCII):
        return text
    return '"' + re.sub(r'(\\*)"', r"\1\1\"", text) + '"'


def quoted_table(words: Mapping[str, str]) -> str:
    """A table as Hydra reads it.

    >>> print(quoted_table({"file": "photo", "label": "kind (new)"}))
    {file: photo, label: "kind (new)"}
    """
    return "{" + ", ".join(f"{key}: {quoted(value)}" for key, value in words.items()) + "}"


def plain_value(word: str) -> str:
    """The value of an override without Hydra's quotes; as it is if it breaks the grammar.

    >>> plain_value('resume="a (1), b"'), plain_value("resume=a (1), b")
    ('a (1), b', 'a (1), b')
    """
    text = word.partition("=")[2]
    try:
        value = parse_word(word).value() if text[:1] in ("'", '"') else text
    except HydraException:
        return text
    return str(value)


def run_trial(
    context: HydraContext, task: TaskFunction, config: DictConfig, words: Sequence[str], number: int
) -> None:
    """Run one job of a sweep in this process as Hydra's own launcher does; raises what the task raises.

    Args:
        context: Hydra's context.
        task: Function that runs a config.
        config: Config of the sweep, with Hydra's own keys.
        words: Overrides of the trial.
        number: Number of the trial; it also names its folder.
    """
    setup_globals()
    state: Any = context.config_loader.load_sweep_config(config, list(words))
    with open_dict(state):
        state.hydra.job.id = state.hydra.job.num = number
    done = run_job(
        hydra_context=context,
        task_function=task,
        config=state,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    _ = done.return_value  # raises what the task raised, if it is not a training run
