"""Write docs/evidence.md and its picture: what each claim's runs show, and the verdict."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import claims
from claims import TUNING, Budget, Claim, Lines, Side
from evidence_picture import picture

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).parent / "results" / "tricks.jsonl"
PAGE, PICTURE = ROOT / "docs" / "evidence.md", ROOT / "docs" / "pictures" / "evidence.svg"
# two-sided 95% quantiles of Student's t for 1, 2, ... degrees of freedom
T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14)
FEWEST = 5  # seeds for a verdict
CHANCE = {"photos": 0.25}  # accuracy where the loss became NaN; elsewhere 0.1
UNITS = {"accuracy": 100.0, "val_loss": 1.0, "epochs": 1.0, "seconds": 1.0}
NAMES = {"accuracy": "points", "val_loss": "of val/loss", "epochs": "epochs", "seconds": "CPU s"}


@dataclass(frozen=True)
class Effects:
    """What the runs of a claim show.

    Args:
        claim: The claim.
        with_it: Mean of the measure with the trick.
        without: Mean without it.
        gains: Differences, one per seed.
    """

    claim: Claim
    with_it: float
    without: float
    gains: list[float]

    @property
    def mean(self) -> float:
        """Mean difference."""
        return statistics.fmean(self.gains)

    @property
    def half(self) -> float:
        """Half of the 95% interval of the mean, by Student's t."""
        if len(self.gains) < 2:
            return math.inf
        quantile = T[min(len(self.gains) - 2, len(T) - 1)]
        return quantile * statistics.stdev(self.gains) / math.sqrt(len(self.gains))

    @property
    def verdict(self) -> str:
        """Whether the claim held."""
        if len(self.gains) < FEWEST:
            return "too few runs"
        points = self.claim.measure == "accuracy"
        return verdict(self.mean, self.half, self.claim.expects, self.claim.margin if points else 0)

    @property
    def shown(self) -> str:
        """Mean and interval in words."""
        return f"{self.mean:+.1f} ± {self.half:.1f}" if abs(self.mean) >= 0.05 or self.half else "0.0 ± 0.0"


def verdict(mean: float, half: float, expects: str, margin: float) -> str:
    """What an interval says of a claim; a gain that is surely below the margin is none.

    >>> [verdict(2, half, "more", 1) for half in (1, 3)], verdict(0.1, 0.5, "more", 1)
    (['held', 'not resolved'], 'did not hold')
    >>> verdict(-0.2, 0.5, "same", 1), verdict(-3, 1, "same", 1), verdict(-3, 1, "less", 1)
    ('held', 'did not hold', 'held')
    """
    if expects == "less":
        return verdict(-mean, half, "more", margin)
    low, high = mean - half, mean + half
    if expects == "same":
        return "held" if low > -margin else "did not hold" if high < 0 else "not resolved"
    return "held" if low > 0 else "did not hold" if high < margin or high <= 0 else "not resolved"


def lines() -> Lines:
    """The runs that are done."""
    written = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.is_file() else []
    return {(line["words"], line["seed"]): line for line in map(json.loads, written)}


def effects(claim: Claim, known: Lines) -> Effects:
    """The differences of a claim, of the seeds that both sides have."""
    both = [by_seed(claim, side, known) for side in (claim.with_it, claim.without)]
    seeds = sorted(both[0].keys() & both[1].keys())
    means = [statistics.fmean(side[seed] for seed in seeds) if seeds else math.nan for side in both]
    return Effects(claim, *means, gains=[both[0][seed] - both[1][seed] for seed in seeds])


def by_seed(claim: Claim, side: Side, known: Lines) -> dict[int, float]:
    """The measure of a side, for each seed."""
    words = side.chosen(known)
    name = side.named(words) if words else None
    found = {seed: line for (said, seed), line in known.items() if said == name and seed != TUNING}
    if claim.measure == "accuracy":
        chance = CHANCE.get(claim.regime, 0.1)
        return {
            seed: 100 * (chance if line["accuracy"] is None else line["accuracy"])
            for seed, line in found.items()
        }
    return {seed: line[claim.measure] for seed, line in found.items() if claim.measure in line}


def write_page() -> None:
    """Write the page and the picture of the small budget, and tables of the full one if there are runs."""
    known = lines()
    small, full = (_found(budget, known) for budget in claims.BUDGETS)
    drawn = [one for one in small if one.claim.measure == "accuracy" and len(one.gains) >= FEWEST]
    PICTURE.write_text(picture(drawn), encoding="utf-8")
    used = list(known.values())
    text = HEAD.format(
        claims=len(claims.claims("small")),
        summary=summary(small),
        runs=len(used),
        hours=sum(line["seconds"] for line in used) / 3600,
        devices="; ".join(sorted({line["device"] for line in used})),
        dates=", ".join(sorted({line["date"] for line in used})),
    )
    parts = [text, *tables(small), *ranking(known)]
    parts += ["## The full budget\n", *tables(full)] if full else []
    PAGE.write_text("\n".join([*parts, *others(small)]), encoding="utf-8")


def _found(budget: Budget, known: Lines) -> list[Effects]:
    order = [*claims.regimes()]
    wanted = sorted(claims.claims(budget), key=lambda claim: order.index(claim.regime))
    return [one for claim in wanted if (one := effects(claim, known)).gains]


def summary(found: list[Effects]) -> str:
    """How many claims held, in words."""
    verdicts = [one.verdict for one in found]
    words = ("held", "did not hold", "not resolved", "too few runs")
    return ", ".join(f"{verdicts.count(word)} {word}" for word in words if word in verdicts)


def tables(found: list[Effects]) -> list[str]:
    """A table for each regime."""
    shown = []
    for regime, title in claims.regimes().items():
        rows = [one for one in found if one.claim.regime == regime]
        if rows:
            shown += [f"## {title[:1].upper()}{title[1:]}\n", *TITLES, *map(row, rows), ""]
    return shown


def row(one: Effects) -> str:
    """A line of a table."""
    claim = one.claim
    unit = NAMES[claim.measure]
    cells = (
        f"`{claim.name}`",
        claim.says,
        f"{one.with_it:.1f} against {one.without:.1f}",
        f"{one.shown} {unit}",
        str(len(one.gains)),
        one.verdict + (f": {claim.why}" if claim.why else ""),
    )
    return f"| {' | '.join(cells)} |"


def ranking(known: Lines) -> list[str]:
    """The schedules by accuracy, each at its own rate."""
    sides: dict[str, tuple[Claim, Side]] = {}
    for claim in claims.claims("small"):
        if claim.regime == "settle":
            for side in (claim.with_it, claim.without):
                sides[claims.words_of(side.words)["schedule"]] = (claim, side)
    found = {name: by_seed(claim, side, known) for name, (claim, side) in sides.items()}
    rated = [(statistics.fmean(v.values()), name, v) for name, v in found.items() if len(v) >= FEWEST]
    if not rated:
        return []
    rows = []
    for mean, name, values in sorted(rated, reverse=True):
        rate = claims.words_of(sides[name][1].chosen(known) or "")["optimizer.lr"]
        error = statistics.stdev(values.values()) / math.sqrt(len(values))
        rows.append(f"| {name} | {rate} | {mean:.1f} ± {error:.1f} | {NOTES.get(name, '')} |")
    return [RANKING, *rows, ""]


def others(found: list[Effects]) -> list[str]:
    """Claims without runs, and choices without a claim."""
    waiting = [c for c in claims.claims("small") if c.name not in {one.claim.name for one in found}]
    rows = [f"- `{claim.name}`: {claim.says} ({claims.regimes()[claim.regime]})" for claim in waiting]
    shown = ["## Not run yet\n", *rows, ""] if rows else []
    named: dict[str, list[str]] = {}
    for name, reason in claims.reasons().items():
        named.setdefault(reason, []).append(f"`{name}`")
    return [*shown, "## Without a claim\n", *(f"- {', '.join(n)}: {r}" for r, n in named.items()), ""]


HEAD = """# What the tricks bring

Written by `benchmarks/tricks.py`. Each claim of `benchmarks/claims.yaml` is tested in a regime in which it
can show itself: the same set-up with the trick and without it, paired by seed. The numbers are means and
their 95% intervals by Student's t, in points of test accuracy unless a line says otherwise. A claim of more
held if the whole interval is above 0, and did not if the interval is below a point; one of "as good as" held
if the interval excludes a point less. Rates of the tuned regimes are chosen on validation images by the same
search for both sides, with another seed; all other values are those of the config files. The seed decides
initial weights and order, while the images stay the same, so an interval says nothing of other images.

Of {claims} claims: {summary}. {runs} runs, {hours:.2f} CPU hours, {dates}, {devices}.

    make bench-tricks DATA=FOLDER ARGS="--minutes 60"

![The effect of each trick with its interval, by regime](pictures/evidence.svg)
"""
TITLES = (
    "| choice | claim | with it, without it | effect | seeds | verdict |",
    "|---|---|---|---|---|---|",
)
RANKING = """## The ranking of schedules

Test accuracy with momentum, each schedule at the rate that validation chose for it; mean and standard error.

| schedule | rate | accuracy | place in the notes |
|---|---|---|---|"""
NOTES = {
    "step": "1",
    "multistep": "1",
    "exponential": "2",
    "polynomial": "2",
    "inverse": "3",
    "constant": "3",
}
