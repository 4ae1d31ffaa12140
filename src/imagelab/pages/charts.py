"""Collect the charts of reports, except lines (`line_plot`): static SVG, with the values under the mouse."""

from imagelab.pages.bars import bars, histogram
from imagelab.pages.matrix import matrix
from imagelab.pages.scatter import scatter

__all__ = ["bars", "histogram", "matrix", "scatter"]
