"""Define what a question about the data returns."""

from collections.abc import Callable
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
    """The findings of a question, and sections for the page."""

    findings: list[Finding]
    sections: "list[Section]" = field(default_factory=list)


Question = Callable[["Seen", Node, Path], Answer]
"""(scan of the images, config, folder for files) -> answer."""
