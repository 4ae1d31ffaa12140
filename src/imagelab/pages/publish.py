"""Publish the result of a command: as JSON, as a page, on the terminal, and to loggers that take reports."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from imagelab import finding
from imagelab.finding import Finding
from imagelab.pages.finding_table import terminal_table
from imagelab.pages.page import Section, page
from imagelab.runs import files
from imagelab.terminal import screen
from imagelab.terminal.summary import near


@runtime_checkable
class TakesReports(Protocol):
    """A logger that can show findings and a page."""

    def log_report(self, stem: str, findings: Sequence[Finding], page: str) -> None:
        """Log findings and page under a name."""


def publish(
    folder: Path,
    stem: str,
    *,
    title: str,
    summary: str,
    findings: Sequence[Finding],
    sections: Sequence[Section],
    lead: str = "",
    loggers: Iterable[object] = (),
    quiet: bool = False,
) -> Path:
    """Write `<stem>.json` and `<stem>.html`, show the findings, hand both to the loggers; return the path.

    Args:
        folder: Folder of the files.
        stem: Name of the files without ending, that of the command.
        title: Title of the page.
        summary: Result in a sentence or two.
        findings: Findings of the command.
        sections: Other sections of the page.
        lead: HTML in place of summary and findings on the page.
        loggers: Loggers of the run; those that take no reports are skipped.
        quiet: Whether to keep the table off the terminal.
    """
    text = page(title=title, summary=summary, findings=findings, sections=sections, lead=lead)
    path = folder / f"{stem}.html"
    files.write_json(folder / f"{stem}.json", finding.plain(findings))
    files.write_text(path, text)
    if not quiet:
        screen.say("", terminal_table(title, findings), "", f"page: {near(path)}")
    for logger in loggers:
        if isinstance(logger, TakesReports):
            logger.log_report(stem, findings, text)
    return path
