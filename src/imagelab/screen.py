"""What a command says: on the terminal, and in the run's console.log once there is one."""

import logging
import warnings
from pathlib import Path

from rich.console import Console, RenderableType

terminal = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
_files: list[Console] = []


def say(*what: RenderableType) -> None:
    """Show something on the terminal and keep it in console.log."""
    for item in what:
        terminal.print(item, markup=False)
        for file in _files:
            file.print(item, markup=False)


def complain(sentences: list[str], head: str | None = None) -> None:
    """Show what is wrong, one sentence a line."""
    for line in ([head] if head else []) + [f"  {s}" if head else s for s in sentences]:
        errors.print(line, markup=False)
        for file in _files:
            file.print(line, markup=False)


def keep(path: Path) -> None:
    """Copy everything said to this file, and the libraries' warnings, which the terminal is spared."""
    file = path.open("a", encoding="utf-8")
    _files[:] = [Console(file=file, width=110, highlight=False, soft_wrap=True)]
    logging.captureWarnings(True)
    quiet = logging.StreamHandler(file)
    quiet.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logging.getLogger().handlers = [quiet]
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
    ours = logging.getLogger("imagelab")
    ours.handlers, ours.propagate = [_Aloud()], False


def hush() -> None:
    """Say nothing: this process is a further rank of a run that another one speaks for."""
    terminal.quiet = errors.quiet = True
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


class _Aloud(logging.Handler):
    """Our own warnings are for the user's eyes."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
