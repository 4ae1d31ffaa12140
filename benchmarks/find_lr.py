# room: finders, schedule/cosine
"""How good the rate is that `imagelab find_lr` suggests, against the best rate of a grid and other rules.

    .venv/bin/python benchmarks/find_lr.py --data FOLDER

FOLDER holds CIFAR-10 as train/<class>/ and test/<class>/. Short runs with cosine annealing on a grid of
rates, of two seeds, say how accurate each rate is; range tests of five other seeds suggest one, which is then
run with the two seeds too. All is kept in benchmarks/results/find_lr.jsonl, a line each; what is there is not
done again. The table is benchmarks/results/find_lr.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from find_lr_page import HEAD, TASK_TITLES, TITLES
from find_lr_tasks import FRESH, TUNED, composed, grid
from lightning.pytorch.tuner.lr_finder import _LRFinder
from many_runs import machine
from ratios import Figure, flag, settle

from imagelab.build import build_classifier, build_data, build_trainer
from imagelab.finders.lr_range import ladder, one_device, range_test
from imagelab.finders.lr_rule import Curve, diverges, minimum_tenth, steepest, suggested, valley
from imagelab.terminal import screen
from imagelab.training.loss_record import Diverged

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "find_lr.jsonl"
STEPS = 100
LADDER = ladder(1e-7, 10.0, STEPS)
SEEDS_OF_TESTS = (10, 11, 12, 13, 14)
SEEDS_OF_RUNS = (0, 1)
ERRATIC = "digits, CNN without norm, momentum"  # at the best rates, some runs fail by chance
MORE_SEEDS = (2, 3, 4, 5)
Node = dict[str, Any]


TASKS = TUNED | FRESH
FOUND = "suggested by find_lr, run"
RULES: dict[str, Callable[[Curve], float | None]] = {
    "suggested by find_lr": suggested,
    "Lightning's suggestion": lambda curve: lightnings(curve),
    "valley": valley,
    "minimum / 10": minimum_tenth,
    "steepest": steepest,
}


def accuracy(cfg: Node, data: Any, rate: float, folder: Path) -> float:
    """Test accuracy after a run at this peak rate."""
    cfg = cfg | {"optimizer": cfg["optimizer"] | {"lr": rate}}
    own = {"limit_val_batches": 0, "enable_checkpointing": False}
    trainer = build_trainer(cfg | {"trainer": cfg["trainer"] | own}, folder, callbacks=[], logger=False)
    classifier = build_classifier(cfg, data, trainer, {})
    try:
        trainer.fit(classifier, datamodule=data)
    except Diverged:
        return 1 / len(data.classes)
    trainer.test(classifier, datamodule=data, verbose=False)
    return float(trainer.callback_metrics["test/accuracy"])


def run_range_test(cfg: Node, data: Any, folder: Path) -> Node:
    """A range test with the values that `find_lr` has."""
    cfg = one_device(cfg, folder)
    trainer = build_trainer(cfg, folder, callbacks=[], logger=False, enable_checkpointing=False)
    classifier = build_classifier(cfg, data, trainer, {})
    curve = range_test(cfg, data, classifier, folder=folder, tricks=[], rates=LADDER)
    return {"losses": [float(f"{loss:.5g}") for loss in curve.losses]}


def lightnings(curve: Curve) -> float | None:
    """What Lightning's LearningRateFinder says of these losses, with its own smoothing and early end."""
    kept: Node = {"lr": [], "loss": []}
    mean = 0.0
    for step, (rate, loss) in enumerate(zip(curve.rates, curve.losses, strict=True)):
        mean = 0.98 * mean + 0.02 * loss
        smooth = mean / (1 - 0.98 ** (step + 1))
        kept["lr"].append(rate)
        kept["loss"].append(smooth)
        if step > 1 and smooth > 4 * min(kept["loss"]):
            break
    finder = _LRFinder("exponential", curve.rates[0], curve.rates[-1], len(curve.rates))
    finder.results = kept
    return finder.suggestion()


def pasted(curve: Curve) -> float | None:
    """The suggestion as it is shown."""
    rate = suggested(curve)
    return None if rate is None else float(f"{rate:.2g}")


def fill(root: Path) -> None:
    """Do what is missing: range tests, the grid, runs at the suggested rates."""
    for name, (words, ends) in TASKS.items():
        for seed in SEEDS_OF_TESTS:
            _do(name, words, seed, [None], root)
        rates = [pasted(curve) for curve in curves(name)]
        for seed in SEEDS_OF_RUNS + (MORE_SEEDS if name == ERRATIC else ()):
            _do(name, words, seed, [*grid(ends), *sorted({rate for rate in rates if rate})], root)


def _do(name: str, words: list[str], seed: int, rates: Sequence[float | None], root: Path) -> None:
    """Runs at these rates, of one seed; None: a range test."""
    done = {line["rate"] for line in kept() if (line["task"], line["seed"]) == (name, seed)}
    missing = [rate for rate in rates if rate not in done]
    if not missing:
        return
    cfg = composed(words, seed, root)
    data = build_data(cfg)
    for rate in missing:
        began = time.process_time()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            found: Node = (
                run_range_test(cfg, data, folder)
                if rate is None
                else {"accuracy": accuracy(cfg, data, rate, folder)}
            )
        line = {"task": name, "seed": seed, "rate": rate, "seconds": round(time.process_time() - began, 2)}
        with KEPT.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line | found) + "\n")


def curves(name: str) -> list[Curve]:
    """The range tests of a task."""
    found = [line["losses"] for line in kept() if line["task"] == name and line["rate"] is None]
    return [Curve(rates=LADDER[: len(one)], losses=one, steps=STEPS) for one in found]


def accuracies(name: str) -> dict[float, float]:
    """Mean test accuracy of a task at each rate that was run, in percent."""
    found: dict[float, list[float]] = {}
    for line in kept():
        if line["task"] == name and line["rate"] is not None:
            found.setdefault(line["rate"], []).append(100 * line["accuracy"])
    return {rate: statistics.fmean(values) for rate, values in sorted(found.items())}


def losses(name: str, rule: str) -> list[float | None]:
    """Points of accuracy that the rate of a rule loses to the best of the grid, of each range test."""
    all_rates, gaps = accuracies(name), []
    rates = grid(TASKS[name][1])
    values = [all_rates[rate] for rate in rates]
    for curve in curves(name):
        if rule == FOUND:
            rate = pasted(curve)
            got = None if rate is None else all_rates[rate]
        else:
            rate = RULES[rule](curve)
            got = None if rate is None else float(np.interp(np.log(rate), np.log(rates), values))
        gaps.append(None if got is None else max(values) - got)
    return gaps


def too_large() -> str:
    """How much is lost at rates of the grid that are called too large."""
    gaps = []
    for name, (_, ends) in TASKS.items():
        values = accuracies(name)
        best = max(values[rate] for rate in grid(ends))
        limits = [diverges(curve) for curve in curves(name) if suggested(curve)]
        gaps += [best - values[r] for limit in limits if limit for r in grid(ends) if limit <= r < 4 * limit]
    lost = sum(gap > 5 for gap in gaps)
    return (
        f"Of {len(gaps)} times that a rate of the grid is one at which training diverges, up to 4 times\nthe "
        f"first of these, it loses more than 5 points {lost} times; {min(gaps):.1f} is the least."
    )


def table() -> str:
    """Every rule on the tuned tasks and on the fresh ones; then every task."""
    minutes = sum(line["seconds"] for line in kept()) / 60
    lines = [HEAD.format(date=date.today(), machine=machine(), minutes=minutes)]
    for title, tasks in (("Tasks that it was not tuned on", FRESH), ("Tasks that it was tuned on", TUNED)):
        lines += [f"## {title}", "", *TITLES]
        for rule in (FOUND, *RULES):
            gaps = [gap for name in tasks for gap in losses(name, rule)]
            some = [gap for gap in gaps if gap is not None]
            near = sum(gap <= 2 for gap in some)
            lines.append(
                f"| {rule} | {statistics.fmean(some):.1f} | {max(some):.1f} | {100 * near / len(some):.0f}% "
                f"| {len(gaps) - len(some)} of {len(gaps)} |"
            )
        lines.append("")
    lines += ["## Too large", "", too_large(), "", "## Task by task", "", *TASK_TITLES]
    for name in TASKS:
        found = [pasted(curve) for curve in curves(name)]
        shown = ", ".join("none" if rate is None else f"{rate:g}" for rate in found)
        gaps = ", ".join("-" if gap is None else f"{gap:.1f}" for gap in losses(name, FOUND))
        limits = ", ".join("none" if rate is None else f"{rate:.2g}" for rate in map(diverges, curves(name)))
        values = accuracies(name)
        best = max(grid(TASKS[name][1]), key=values.__getitem__)
        lines.append(f"| {name} | {best:.2g}: {values[best]:.1f} | {shown} | {gaps} | {limits} |")
    return "\n".join(lines) + "\n"


def kept() -> list[Node]:
    """What has been done."""
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []


def good_suggestions() -> Figure:
    """The share of today's suggestions that lose at most 2 points, interpolated on the grid."""
    gaps = [gap for name in TASKS for gap in losses(name, "suggested by find_lr") if gap is not None]
    return Figure(
        "suggestions within 2 points", [100 * sum(gap <= 2 for gap in gaps) / len(gaps)], "higher", "%"
    )


def keep_in(file: Path) -> None:
    """Keep what was done in this file, but for the range tests; the grid takes longest and stays the same."""
    global KEPT
    lines = [json.dumps(line) for line in kept() if line["rate"] is not None]
    KEPT = file
    KEPT.write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> None:
    """Do what is missing, then write the table; exit status 1 where the suggestions got worse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of CIFAR-10")
    parser.add_argument("--again", action="store_true", help="do the range tests again, 2 CPU minutes")
    flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    screen.hush()
    with tempfile.TemporaryDirectory() as scratch:
        if args.again:
            keep_in(KEPT if args.record else Path(scratch) / "find_lr.jsonl")
        fill(args.data)
        if args.record or not args.again:
            (RESULTS / "find_lr.md").write_text(table(), encoding="utf-8")
        sys.exit(settle("find_lr", [good_suggestions()], record=args.record))


if __name__ == "__main__":
    main()
