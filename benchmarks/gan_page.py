# room: generators
"""Write the tables of the benchmark of generators."""

import statistics
from typing import Any

from many_runs import error

Node = dict[str, Any]
HEAD = """# What tricks bring to a GAN, and generated images to a classifier

    .venv/bin/python benchmarks/gan.py

{state} {runs}.
{device}, one thread, {seconds:.0f} CPU minutes. Means of the seeds with their standard
errors.

## Each trick alone

The default run of `task=gan` on the digits (`plain`: non-saturating loss, BatchNorm, labels), then with one
change each. R1 and the gradient penalty cannot have BatchNorm, so compare them with GroupNorm. "Asked class"
is how often a support vector machine, fitted to all real digits, finds the class that was asked for among
5,000 generated images; "classes" is the number of classes that it finds in more than 70% of them. The other
measures compare generated images with the real ones of the test split, on pixels as in training: the Fréchet
distance is not the FID of papers.

| what | asked class, % | classes | Fréchet | recall, % | coverage, % | diversity, % | CPU s | trained |
|---|---|---|---|---|---|---|---|---|
{tricks}

## A classifier of few digits

Test accuracy in percent of the default classifier from 10, 20 and 100 real digits per class, with about as
many steps in each line. The generator saw the same digits and no others; `shifted` is `augment=[translate]`.
Both choose their best epoch on the whole val split, which is larger than the smallest training set.

| training images | 10 digits | 20 digits | 100 digits | runs |
|---|---|---|---|---|
{classifiers}
"""
READING = "\n## What it says\n"


def trick_row(name: str, found: list[Node]) -> str:
    """A line of the first table."""
    trained = [row for row in found if "steps" in row]  # the others became NaN
    cells = [mean(trained, "asked", 100, 1), mean(trained, "classes", 1, 1), mean(trained, "frechet", 1, 2)]
    cells += [mean(trained, key, 100, 0) for key in ("recall", "coverage", "diversity")]
    cells += [mean(found, "cpu_seconds", 1, 0), f"{len(trained)} of {len(found)}"]
    return f"| {name} | {' | '.join(cells)} |"


def few_row(name: str, found: list[list[Node]]) -> str:
    """A line of the second table: a cell per number of digits."""
    cells = [mean([row for row in rows if "steps" in row], "accuracy", 100, 1) for rows in found]
    return f"| {name} | {' | '.join(cells)} | {', '.join(str(len(rows)) for rows in found)} |"


def mean(rows: list[Node], key: str, factor: int, digits: int) -> str:
    """Mean of a measure with its standard error, if there are several runs; a dash if it has no values."""
    values = [factor * row[key] for row in rows if key in row]
    if not values:
        return "-"
    return f"{statistics.fmean(values):.{digits}f}" + (
        f" ± {error(values):.{digits}f}" if len(values) > 1 else ""
    )
