"""Define the error for mistakes of users, explained in one sentence."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class Problem(Exception):  # noqa: N818 - it is what the user reads
    """Ends a command without a stack trace: a sentence with what is wrong, what was expected, what to do."""


def nearest(word: str, words: Iterable[str]) -> str:
    """The end of a sentence that suggests the known word nearest to a misspelt one, or nothing.

    >>> nearest("adamm", ["sgd", "adam"])
    "; did you mean 'adam'?"
    """
    found = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def first_line(error: BaseException) -> str:
    r"""The first line of an error's message; its kind if it has none.

    >>> first_line(OSError("not found\nask later")), first_line(TimeoutError())
    ('not found', 'TimeoutError')
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def some_of(names: Sequence[str], most: int = 20, between: str = ", ") -> str:
    """List names in a sentence: the first ones, and the number of others.

    >>> some_of(["a", "b", "c"], most=2)
    'a, b, and 1 more'
    """
    return between.join(few(names, most))


def few(names: Sequence[str], most: int) -> list[str]:
    """The first names, then the number of others."""
    more = [f"and {len(names) - most:,} more"] if len(names) > most else []
    return [*names[:most], *more]
