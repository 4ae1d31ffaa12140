"""Run the real command in this process, which has imported Lightning already, and leave no trace in it."""

import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from imagelab import cli
from imagelab.terminal import screen

LOGGERS = ("lightning.pytorch", "lightning.fabric")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


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


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Put back what a command changes of its process: environment, signals, loggers, the screen."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    before = root.handlers, list(screen._files), dict(os.environ)
    try:
        yield
    finally:
        root.handlers = before[0]
        screen._files[:] = [kept for kept in before[1] if not kept.file.closed]  # the command may close them
        screen.terminal.quiet = screen.errors.quiet = False
        logging.captureWarnings(False)
        logging.disable(logging.NOTSET)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        os.environ.clear()
        os.environ.update(before[2])
        for number, handler in handlers.items():
            signal.signal(number, handler)
