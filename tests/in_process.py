"""Run the real command in this process, which has imported Lightning already, and leave no trace in it."""

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from imagelab import cli
from imagelab.in_process import untouched


class Said(NamedTuple):
    """What a command left on the screen, and its exit status."""

    status: int
    out: str
    err: str


def imagelab(*words: str, folder: Path) -> Said:
    """Type `imagelab WORDS` in a folder."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    screens = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    typed = mock.patch.object(sys, "argv", ["imagelab", *words])
    with untouched(), contextlib.chdir(folder), screens[0], screens[1], typed:
        try:
            cli.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
    return Said(status, out.getvalue(), err.getvalue())


def trained(*words: str, folder: Path) -> Path:
    """Train in `folder`/run, on the CPU; the run's folder."""
    run = folder / "run"
    said = imagelab("train", "trainer=cpu", f"hydra.run.dir={run}", *words, folder=folder)
    assert said.status == 0, said
    return run
