"""Name the ranges that several numbers of a config share."""

from imagelab.config.rules.span import Span, within

ABOVE_0 = Span("a number above 0", above=0)
STRENGTH = Span("a number above 0; to turn it off, leave it out", above=0)
BETWEEN = Span("a fraction between 0 and 1", above=0, below=1)
SHARE = Span("a number in [0, 1)", least=0, below=1)
UNIT = within(0, 1)
UP_TO_1 = Span("a number above 0, up to 1", above=0, most=1)
DROPPED = Span("a probability in [0, 1), or null", least=0, below=1)
PART = Span("more than 0", above=0)
BATCHES = Span("a share above 0 and below 1, or a whole number of batches", above=0, whole=True)
