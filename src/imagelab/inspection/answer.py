"""Define what a question about the data returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imagelab.config.schema import Node
from imagelab.finding import Finding

if TYPE_CHECKING:
    from imagelab.inspection.scan import Seen
    from imagelab.pages.page import Section


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a question found.

    Args:
        findings: Findings of the question.
        sections: Sections for the page.
        marks: What was found in single images, in a few words -> their names.
    """

    findings: list[Finding]
    sections: "list[Section]" = field(default_factory=list)
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)


Question = Callable[["Seen", Node, Path], Answer]
"""(scan of the images, config, folder for files) -> answer."""
