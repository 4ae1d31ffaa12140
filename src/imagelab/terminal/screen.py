"""Print what a command says, on the terminal and in the run's console.log once it exists."""

import atexit
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import indent

from rich.console import Console, RenderableType

from imagelab.config.launched import launched

LIBRARIES = ("lightning", "lightning.pytorch", "lightning.fabric")
CLEARED = "\r\x1b[K"  # to the beginning of the line, and empty to its end
terminal = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
_files: list[Console] = []
_aside: list[bool] = []  # holds something within `aside`
complaints: list[str] = []  # what has been refused, and why
written: list[Path] = []  # the files that commands of this process wrote, in order
_waiting: list[str] = []  # what the terminal shows until the next output


def wait(words: str) -> None:
    """Say in a terminal what takes a while, such as "loading"; the next output replaces it."""
    clear()
    if errors.is_terminal and not errors.is_dumb_terminal and not errors.quiet:
        _waiting.append(words)
        errors.file.write(f"{words} …")
        errors.file.flush()


def clear() -> None:
    """Remove what `wait` shows."""
    if _waiting:
        _waiting.clear()
        errors.file.write(CLEARED)
        errors.file.flush()


atexit.register(clear)


def say(*what: RenderableType) -> None:
    """Show something on the terminal and write it to console.log."""
    if not _aside:
        clear()
    for item in what:
        if not _aside:
            terminal.print(item, markup=False)
        _copy(item)


@contextmanager
def aside() -> Iterator[None]:
    """Within this, what is said goes to console.log only; refusals and progress bars are shown as ever."""
    _aside.append(True)
    try:
        yield
    finally:
        _aside.pop()


def complain(sentences: list[str], head: str | None = None) -> None:
    """Show what is wrong, one sentence per line."""
    clear()
    complaints.extend(sentences)
    for line in ([head] if head else []) + [indent(s, "  ") if head else s for s in sentences]:
        errors.print(line, markup=False)
        _copy(line)


def say_written(path: Path, before: str = "", after: str = "") -> None:
    """Tell the user of a file that the command has written, which is what it was run for."""
    written.append(path)
    say(f"{before}Written to {path}{after}")


@contextmanager
def borrowed() -> Iterator[None]:
    """Put back afterwards what `keep` and `hush` change."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    handlers = root.handlers
    files = list(_files)
    try:
        yield
    finally:
        root.handlers = handlers
        _files[:] = [kept for kept in files if not kept.file.closed]  # the command may close them
        terminal.quiet = errors.quiet = False
        logging.captureWarnings(False)
        logging.disable(logging.NOTSET)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def keep(path: Path) -> None:
    """Copy all output to this file; warnings of libraries go only there, not to the terminal."""
    file = path.open("a", encoding="utf-8")
    _files[:] = [Console(file=file, width=110, highlight=False, soft_wrap=True)]
    logging.captureWarnings(True)
    quiet = logging.StreamHandler(file)
    quiet.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logging.getLogger().handlers = [quiet]
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
        library.setLevel(logging.WARNING)
    ours = logging.getLogger("imagelab")
    ours.handlers = [_Aloud()]
    ours.propagate = False


def release() -> None:
    """Stop copying, so that the file can be removed."""
    logging.captureWarnings(False)
    logging.getLogger().handlers = [logging.NullHandler()]
    for console in _files:
        with suppress(OSError):
            console.file.close()
    _files.clear()


def speaks() -> bool:
    """Whether this process speaks for the run: the first of those that were started for it."""
    mine = launched()
    return mine.rank == 0 if mine else os.environ.get("LOCAL_RANK", "0") == "0"


def hush() -> None:
    """Print nothing: this process is an additional rank, and another rank speaks for the run."""
    terminal.quiet = errors.quiet = True
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def _copy(item: RenderableType) -> None:
    with suppress(OSError):  # a full disk must not keep the user from reading
        for file in _files:
            file.print(item, markup=False)


class _Aloud(logging.Handler):
    """Shows our own warnings to the user."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
