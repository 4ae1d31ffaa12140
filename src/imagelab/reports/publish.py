"""What a command found goes out: JSON, a page, the terminal, and the loggers that take reports."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from imagelab import record, runs, screen
from imagelab.record import Record
from imagelab.reports.page import Section, page
from imagelab.reports.record_table import terminal_table
from imagelab.summary import near

WANDB = "imagelab.logger.wandb.wandb_logger"


@runtime_checkable
class TakesReports(Protocol):
    """A logger that can show records and a page."""

    def log_report(self, stem: str, records: Sequence[Record], page: str) -> None:
        """Keep them under a name."""


def publish(
    folder: Path,
    stem: str,
    *,
    title: str,
    summary: str,
    records: Sequence[Record],
    sections: Sequence[Section],
    loggers: Iterable[object] = (),
    quiet: bool = False,
) -> Path:
    """Write `<stem>.json` and `<stem>.html`, show the records, and hand both to the loggers; the page's path.

    Args:
        folder: Where the files go.
        stem: Their name, which is the command's.
        title: What was looked at.
        summary: What came out, in a sentence or two.
        records: The findings.
        sections: The rest of the page.
        loggers: Of the run; those that take no reports are passed over.
        quiet: Whether the terminal is spared the table.
    """
    text = page(title=title, summary=summary, records=records, sections=sections)
    path = folder / f"{stem}.html"
    runs.write_json(folder / f"{stem}.json", record.plain(records))
    runs.write_text(path, text)
    if not quiet:
        screen.say("", terminal_table(title, records), "", f"page: {near(path)}")
    for logger in loggers:
        if isinstance(logger, TakesReports):
            logger.log_report(stem, records, text)
    return path


def loggers_of(cfg: dict[str, Any], folder: Path) -> list[Any]:
    """The logger that shows reports, where the config has it, for commands that are no training run.

    Args:
        cfg: With the key `logger`.
        folder: Where it keeps its files; in the folder of a run it goes on with that run.
    """
    nodes = [node for node in cfg["logger"].values() if node["_target_"] == WANDB]
    if not (nodes and screen.speaks()):
        return []
    from imagelab.make import make  # light commands need no Hydra

    return [make(node, folder=folder) for node in nodes]
