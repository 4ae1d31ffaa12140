"""Refuse in plain words: one sentence per mistake, exit status 2, no stack trace."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from imagelab.problem import Problem
from imagelab.runs import claim
from imagelab.terminal import screen

HEAD = "This run cannot start:"


@contextmanager
def plainly() -> Iterator[None]:
    """Print a Problem as its sentence (exit status 2); end after Ctrl-C without a stack trace (130)."""
    try:
        yield
    except Problem as problem:
        refuse(str(problem).splitlines(), None)
    except KeyboardInterrupt:
        claim.discard_empty()
        sys.exit(130)


def refuse(sentences: list[str], head: str | None = HEAD) -> NoReturn:
    """Say what is wrong, one line each, and end with exit status 2."""
    screen.complain(sentences, head)
    sys.exit(2)
