"""Describe the numbers that a key takes: between which limits, and in which words."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """The numbers that a key takes, in words, and their limits.

    least, most: Limits that are allowed themselves. above, below: Limits that are not.
    whole: Whether numbers from 1 on count something, and so must be whole.
    rising: Whether the key takes two numbers, the first of which must not be the larger one.
    without: A number between the limits that means nothing on its own; None: there is no such number.
    some: Whether a list must hold a number.
    """

    words: str
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    whole: bool = False
    rising: bool = False
    without: float | None = None
    some: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is within the limits."""
        ends = value < self.below or math.isinf(self.below)
        counts = not self.whole or value < 1 or value % 1 == 0
        return self.least <= value <= self.most and self.above < value and ends and counts

    def refuses(self, value: object) -> bool:
        """Whether a value, or one of a list of values, is a number outside the span."""
        given = value if isinstance(value, list) else [value]
        numbers = list(_numbers(given))
        return (
            not all(map(self.holds, numbers))
            or (given is not value and self.without in numbers)
            or (self.some and not given)
            or (self.rising and given is value and (len(numbers) != 2 or numbers[0] > numbers[1]))
        )


def at_least(least: int) -> Span:
    """The numbers from this one on."""
    return Span(f"{least} or more", least=least)


def within(least: float, most: float) -> Span:
    """The numbers between two limits that are allowed themselves."""
    return Span(f"a number in [{least:g}, {most:g}]", least=least, most=most)


def rising(least: float, most: float) -> Span:
    """Two numbers between these limits, the smaller one first."""
    return Span(f"two rising numbers in [{least:g}, {most:g}]", least=least, most=most, rising=True)


def share_or_count(of: str, what: str) -> Span:
    """A share below 1, or a whole number from 1 on; or 0."""
    return Span(f"a share of {of} below 1 or a whole number of {what}", least=0, whole=True)


def _numbers(values: Iterable[object]) -> Iterator[float]:
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value
