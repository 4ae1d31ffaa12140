"""Filter rows by conditions such as `val/accuracy>0.9 and seed=1`; they are read, never run as code."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from imagelab.config.value_types import show
from imagelab.problem import Problem, nearest

SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
FORM = re.compile(r"\s*([\w./-]+)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*")
UNFINISHED = "; a run has metrics once it has finished: wait for one, or name another column"
LIKE = "where='val/accuracy>0.9 and seed=1'"


class Condition(NamedTuple):
    """A column, the sign of a comparison, and the word to compare with."""

    column: str
    sign: str
    word: str

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a row meets the condition, by number if both are numbers; no value is unequal to any."""
        value = row.get(self.column)
        if value is None and self.word not in ("null", "none"):
            return self.sign == "!="
        mine, other = number_of(value), number_of(self.word)
        if mine is None or other is None:
            if self.sign not in ("=", "!="):
                return isinstance(value, str) and other is None and SIGNS[self.sign](value, self.word)
            return SIGNS[self.sign](plain(value), self.word)
        return SIGNS[self.sign](mine, other)


def conditions(text: str) -> list[Condition]:
    """The conditions of a text, joined by `and`.

    >>> [tuple(one) for one in conditions("val/accuracy>=0.9 and optimizer == sgd")]
    [('val/accuracy', '>=', '0.9'), ('optimizer', '=', 'sgd')]

    Raises:
        Problem: If one is not a comparison.
    """
    found = []
    for part in re.split(r"\band\b", text):
        match = FORM.fullmatch(part)
        if match is None or not match[3]:
            raise Problem(f"where: wants COLUMN>VALUE (or >=, <, <=, =, !=), got {part!r}; such as {LIKE}")
        found.append(Condition(match[1], match[2].replace("==", "="), match[3].strip("'\"")))
    return found


def known(name: str, columns: Iterable[str], key: str) -> str:
    """The name of a column that exists.

    Raises:
        Problem: If there is none.
    """
    columns = list(columns)
    if name not in columns:
        raise Problem(f"{key}: no run has {name!r}{nearest(name, columns) or UNFINISHED}")
    return name


def number_of(value: Any) -> float | None:
    """A number, also as typed; None for anything else.

    >>> number_of("1e-3"), number_of(True), number_of("sgd"), number_of("nan")
    (0.001, None, None, None)
    """
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return None if found is None or found != found else found


def plain(value: Any) -> str:
    """A value as typed on the command line.

    >>> plain(["flip", "crop"]), plain(None), plain(True), plain(0.1)
    ('[flip,crop]', 'null', 'true', '0.1')
    """
    if isinstance(value, list):
        return f"[{','.join(map(plain, value))}]"
    return value if isinstance(value, str) else show(value)
