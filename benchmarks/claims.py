"""Read what each trick claims, and in which regime it can show that, from claims.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from many_runs import Words, one_line

from imagelab.config import menu

FILE = Path(__file__).parent / "claims.yaml"
Budget = Literal["small", "full"]
BUDGETS: tuple[Budget, ...] = ("small", "full")
Lines = dict[tuple[str, int], dict[str, Any]]
"""Runs that are done, by words and seed."""
TUNING = 100  # the seed that chooses rates, and that no comparison uses
WEIGHTS = "{kept}/%s/0"  # the run that a start leaves


@dataclass(frozen=True)
class Side:
    """One side of a comparison: how it is trained and measured.

    Args:
        words: What the run is told; {data} and {kept} stand for folders.
        factors: Factors on the optimizer's own rate, of which validation chooses one; none: the rate stays.
        evaluate: Words for `imagelab evaluate`, instead of the run's own test.
        start: Name of the network that must be there before; "" for none.
    """

    words: str
    factors: tuple[float, ...]
    evaluate: str
    start: str

    def at(self, factor: float) -> str:
        """The words with the rate times a factor."""
        return f"{self.words} optimizer.lr={self.rate * factor:.3g}"

    def chosen(self, known: Lines) -> str | None:
        """The words with the rate that is best on val, by accuracy, then loss; None before the search."""
        tried = [(known.get((self.at(factor), TUNING)), factor) for factor in self.factors]
        if any(line is None for line, _ in tried):
            return None
        ranked = [
            ((line["accuracy"] and line["val"]) or 0, -(line.get("val_loss") or 0), f)
            for line, f in tried
            if line
        ]
        return self.at(max(ranked)[-1]) if ranked else self.words

    def named(self, words: str) -> str:
        """The words of a run with those of its evaluation: what its line in the results is called."""
        return f"{words} | {self.evaluate}" if self.evaluate else words

    @property
    def rate(self) -> float:
        """The rate of the optimizer's own config."""
        chosen = words_of(self.words).get("optimizer", "adamw")
        return float(menu.value("optimizer", chosen, "lr"))


@dataclass(frozen=True)
class Claim:
    """What a trick promises: more, less or the same of a measure, in a regime.

    Args:
        name: The choice, or a key and its value.
        regime: The set-up in which the claim is meant to hold.
        says: The claim in a line.
        why: What explains a claim that did not hold; "" for none.
        measure: What is compared.
        expects: Which difference is claimed.
        margin: Points that do not matter.
        with_it: The side with the trick.
        without: The other side.
    """

    name: str
    regime: str
    says: str
    why: str
    measure: str
    expects: Literal["more", "same", "less"]
    margin: float
    with_it: Side
    without: Side


@cache
def content() -> dict[str, Any]:
    """What claims.yaml holds."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def claims(budget: Budget) -> list[Claim]:
    """Every claim whose choices there are, in the order in which they are tested."""
    return [claim for name, said in content()["claims"].items() if (claim := _claim(name, said, budget))]


def reasons() -> dict[str, str]:
    """Why a choice has no claim."""
    return content()["reasons"]


def regimes() -> dict[str, str]:
    """The title of each regime."""
    return {name: regime["title"] for name, regime in content()["regimes"].items()}


def start_words(name: str) -> Words:
    """How a network that others start from is trained."""
    return words_of(f"{content()['base']} {content()['starts'][name]}")


def words_of(line: str) -> Words:
    """Words by key, of which the last one counts.

    >>> words_of("seed=1 trick=[ema] seed=2")
    {'seed': '2', 'trick': '[ema]'}
    """
    return dict(word.split("=", 1) for word in line.split())


def chosen(words: Words) -> Iterator[tuple[str, str]]:
    """The choices that words name: group and name, one by one."""
    for group, value in words.items():
        if "." not in group and (menu.folder() / group).is_dir():
            yield from ((group, name) for name in value.strip("[]").split(",") if name)


def exists(words: Words) -> bool:
    """Whether all choices that words name are there: a room can be taken out."""
    return all(name in menu.choices(group) for group, name in chosen(words))


def own_words(name: str) -> str:
    """The words of a claim that says no others: its own choice.

    >>> own_words("trick=ema"), own_words("loss=focal"), own_words("tta=flip")
    ('trick=[ema]', 'loss=focal', '')
    """
    group, _, choice = name.partition("=")
    if group in ("tta", "task"):
        return ""
    return f"{group}=[{choice}]" if group in ("augment", "trick") else name


def _claim(name: str, said: dict[str, Any], budget: Budget) -> Claim | None:
    regime = content()["regimes"][said["regime"]]
    common = f"{content()['base']} {regime['words']}"
    if budget == "full":
        common = f"{content()['base']} {regime.get('full', regime['words'])} trainer=auto"
    factors, tuned = tuple(regime.get("factors", ())), said.get("tuned", "both")
    start = said.get("start", "")
    with_it, without = said.get("with", own_words(name)), said.get("against", "")
    if start:
        with_it += f" model.weights={WEIGHTS % start}"
        without += f" model.weights={WEIGHTS % start}" if "finetune=" in without else ""
    sides = [words_of(f"{common} {side}") for side in (with_it, without)]
    if not all(map(exists, [*sides, words_of(name) if "." not in name else {}])):
        return None
    return Claim(
        name=name,
        regime=said["regime"],
        says=said["says"],
        why=said.get("why", ""),
        measure=said.get("measure", "accuracy"),
        expects=said.get("expects", "more"),
        margin=float(said.get("margin", 1)),
        with_it=Side(
            one_line(sides[0]),
            factors if tuned == "both" else (),
            said.get("evaluate", ""),
            start,
        ),
        without=Side(one_line(sides[1]), factors, "", start if "weights=" in without else ""),
    )
