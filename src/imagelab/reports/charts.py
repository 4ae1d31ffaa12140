"""The charts of reports but lines (`line_plot`): static SVG, with the values under the mouse."""

from imagelab.reports.bars import bars, histogram
from imagelab.reports.matrix import matrix
from imagelab.reports.scatter import scatter

__all__ = ["bars", "histogram", "matrix", "scatter"]
