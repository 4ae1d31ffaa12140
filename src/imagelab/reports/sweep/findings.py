"""Make the findings on a sweep: how it went, what is best, whether that is luck, and what to do next."""

import shlex
from collections.abc import Sequence

import numpy as np

from imagelab.finding import Finding
from imagelab.reports.sweep.edge import Edge, edges, words_of
from imagelab.reports.sweep.importance import Importance, importances
from imagelab.reports.sweep.luck import pooled_deviation, said, spread
from imagelab.reports.sweep.rows import Sweep
from imagelab.sweep.trial import DIVERGED, FAILED, FINISHED, KILLED, STOPPED, setup_of
from imagelab.terminal.summary import near

FEW = 10  # trials below which little can be resolved


def sweep_findings(sweep: Sweep) -> list[Finding]:
    """The findings of a sweep, in reading order."""
    found = [how_it_went(sweep)]
    if sweep.best is not None:
        at_edge = edges(sweep)
        noise = spread(sweep, repeat(sweep))
        found += [best(sweep), *[at_the_edge(one) for one in at_edge], noise]
        found += importance_findings(sweep, importances(sweep))
    return [*found, next_step(sweep)]


def how_it_went(sweep: Sweep) -> Finding:
    """The finding on how trials ended."""
    counts = {name: sum(row.status == name for row in sweep.rows) for name in _statuses(sweep)}
    lost = sum(counts.get(name, 0) for name in (FAILED, KILLED))
    diverged = counts.get(DIVERGED, 0) / len(sweep.rows)
    why = "Failed and killed trials tell nothing about their values." if lost else ""
    if diverged > 0.3:
        why += f" {diverged:.0%} diverged: the range is too wide."
    return Finding(
        name="trials",
        status="WARN" if lost or diverged > 0.3 else "INFO",
        value=counts,
        expected="none failed or killed, at most 30% diverged",
        why=why.strip(),
        fix=f"Their errors are in the table; `{_resume(sweep)}` retries them." if lost else "",
    )


def best(sweep: Sweep) -> Finding:
    """The finding on the best trial or, with repeats, on the best mean."""
    values, results = next(iter(sweep.setups.items()))
    lost = sweep.diverged.get(values, 0)
    if len(results) + lost > 1:
        found = {"trials": len(results), sweep.monitor: float(np.mean(results))}
        told = f"{said(values)}: the mean of {len(results)} trial{'s' * (len(results) > 1)}."
        told += f" {lost} more diverged." if lost else ""
    else:
        row = next(row for row in sweep.rows if row.value in results and setup_of(row) == values)
        tested = row.test.get(sweep.monitor.replace("val/", "test/"))
        found = {"trial": row.number, sweep.monitor: row.value} | ({} if tested is None else {"test": tested})
        told = f"{said(values)}. The best of many is partly luck: judge it by the test metric."
    status = "WARN" if lost else "INFO"
    return Finding(name="best", status=status, value=found, expected="", why=told, fix="")


def at_the_edge(edge: Edge) -> Finding:
    """The finding that the best trials are at an end of a range."""
    return Finding(
        name=f"range of {edge.name}",
        status="WARN",
        value=edge.value,
        expected="the best trials within the range",
        why=f"Best trials cluster at its {'upper' if edge.upper else 'lower'} end; better may lie beyond.",
        fix=f"Widen it, if that makes sense: `{shlex.quote(f'{edge.name}={edge.wider}')}`",
    )


def importance_findings(sweep: Sweep, found: Sequence[Importance]) -> list[Finding]:
    """The findings on which parameters matter."""
    count = len(sweep.judged()[0])
    return [
        Finding(
            name=f"importance of {one.name}",
            status="INFO",
            value=one.share if one.resolved else "not resolved",
            expected="",
            why=f"It explains {one.share:.0%} of the variation in rank, beyond luck; shuffled results give "
            f"as much in {one.chance:.2%} of cases. {count} configurations{': few' if count < FEW else ''}.",
            fix="",
        )
        for one in found
    ]


def next_step(sweep: Sweep) -> Finding:
    """The finding on what to do next."""
    sentence, command = _next(sweep)
    return Finding(name="next", status="INFO", value=command, expected="", why=sentence, fix="")


def repeat(sweep: Sweep) -> str:
    """The command that runs the best configuration with several seeds."""
    words = [word for word in _words_of_best(sweep) if not word.startswith(("seed=", "data.folds="))]
    return f"imagelab train -m {shlex.join([*words, 'seed=0,1,2,3,4'])}"


def _next(sweep: Sweep) -> tuple[str, str]:
    folder = shlex.quote(near(sweep.folder))
    at_edge = edges(sweep)
    if any(row.status in (STOPPED, KILLED) for row in sweep.rows) or sweep.best is None:
        return "Resume: some trials have not finished.", _resume(sweep)
    if at_edge:
        new = [f"{edge.name}={edge.wider}" for edge in at_edge]
        kept = [word for word in sweep.typed if word.partition("=")[0] not in {edge.name for edge in at_edge}]
        return (
            "Widen the range where the best trials cluster.",
            f"imagelab train -m {shlex.join([*kept, *new])}",
        )
    if sweep.search == "KFold":
        return _after_folds(sweep, folder)
    if sweep.search == "Coarse":
        return "Search the best region in longer runs.", f"imagelab train -m sweep=refine from={folder}"
    if pooled_deviation(sweep.setups) is None:
        return "Run other seeds to see how much of the best result is luck.", repeat(sweep)
    return "Train with the best values.", f"imagelab train {shlex.join(_words_of_best(sweep))}"


def _after_folds(sweep: Sweep, folder: str) -> tuple[str, str]:
    values = next(iter(sweep.setups))
    members = [row for row in sweep.rows if row.status == FINISHED and setup_of(row) == values]
    if not all(row.test for row in members):
        words = [word for word in _words_of_best(sweep) if not word.startswith("data.folds=")]
        return "Train one model with these values.", f"imagelab train {shlex.join(words)}"
    names = ",".join(near(row.folder) for row in sorted(members, key=lambda row: row.number))
    which = f"sweep={folder}" if len(sweep.setups) == 1 else shlex.quote(f"run=[{names}]")
    return "Average the folds' models on the test images.", f"imagelab evaluate {which}"


def _words_of_best(sweep: Sweep) -> list[str]:
    return words_of(sweep, next(iter(sweep.setups)))


def _resume(sweep: Sweep) -> str:
    return f"imagelab train resume={shlex.quote(near(sweep.folder))}"


def _statuses(sweep: Sweep) -> list[str]:
    names = list(dict.fromkeys(row.status for row in sweep.rows))
    return sorted(names, key=lambda name: name != FINISHED)
