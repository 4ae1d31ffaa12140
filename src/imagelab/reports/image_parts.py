"""Hold what a report says of the images of a split; a task names the function that makes it."""

from typing import NamedTuple

from imagelab.finding import Finding
from imagelab.pages.page import Section


class Figure(NamedTuple):
    """A key figure: name, value in words, and a note."""

    name: str
    value: str
    note: str


class ImageParts(NamedTuple):
    """The parts of a report on images.

    findings: Findings on the split. sections: Sections of the page. figures: Key figures for its top.
    table: A CSV file with a row per image or box, written as <split>_predictions.csv; empty: none is.
    """

    findings: list[Finding]
    sections: list[Section]
    figures: list[Figure]
    table: str
