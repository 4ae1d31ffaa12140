"""Explain an error by a config.yaml that was edited, or comes from another version."""

from typing import Any

from imagelab.config.validate import problems
from imagelab.problem import Problem
from imagelab.runs import files, find


def mistakes(run: Any) -> list[str]:
    """The mistakes in the configs of runs, a sentence each that begins with the file.

    Args:
        run: Value of the key `run`: a folder, `last`, a list of folders, or None.
    """
    names = run if isinstance(run, list) else [run]
    found = []
    for name in filter(None, names):
        try:
            folder = find.existing(str(name))
            found += [
                f"{folder / files.CONFIG}: {sentence}" for sentence in problems(files.read_config(folder))
            ]
        except Problem:  # no run, or one that the error was about
            continue
    return found
