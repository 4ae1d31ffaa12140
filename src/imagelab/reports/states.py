"""Name the states that a run can be in, as its curves tell."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

State = Literal[
    "healthy",
    "overfitting",
    "train longer",
    "underfitting",
    "LR too high",
    "LR too low",
    "diverged",
    "not learning",
    "not generalising",
    "too early to say",
    "no validation",
    # room: generators
    "collapsed",
    "discriminator wins",
    "discriminator memorises",
    # end
]


OF_LOSSES = (
    "From curves smoothed over a twentieth of the run; losses are measured from the lowest possible one, "
    "gains and rises over the total decrease, speed over its mean."
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state of a run.

    Args:
        state: State in a word or two.
        numbers: Numbers behind it, by name.
        why: Sentence that explains it with these numbers.
        how: Sentence on where the numbers come from.
    """

    state: State
    numbers: dict[str, float]
    why: str
    how: str = field(default=OF_LOSSES)


def first(found: Iterable[tuple[State, str] | None]) -> tuple[State, str] | None:
    """The first state that there is, with its sentence; what comes later is not even looked at."""
    return next(filter(None, found), None)
