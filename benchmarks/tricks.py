"""What each trick brings: the same small net on a fixed part of CIFAR-10, with the trick and without it.

    .venv/bin/python benchmarks/tricks.py --data FOLDER [--seeds 3] [--workers 2] [--only mixup,ema]

FOLDER holds train/<class>/ and test/<class>/. Both sides of a comparison have the same seeds, images and
epochs, and every value is the one of its config file: nothing is tuned for this table. Runs are kept in
benchmarks/results/tricks.csv, one line each; those that are there already are not done again, so that seeds
can be added. The table is benchmarks/results/tricks.md; `make docs` shows the differences in docs/tricks.md.
"""

import argparse
import statistics
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from many_runs import Record, Words, error, machine, one_line, spread

from imagelab.config import menu

RESULTS = Path(__file__).parent / "results"
RECORD = Record(RESULTS / "tricks.csv")
BUDGET = (
    "ResNet-9 of width 8, 1,800 training images of CIFAR-10 at 16 x 16 pixels, 10 epochs, "
    "accuracy on 2,000 test images"
)
BASE = {
    "trainer": "cpu",
    "trainer.max_epochs": "10",
    "data": "folder",
    "data.storage": "memory",
    "data.size": "16",
    "data.limit": "2000",
    "data.workers": "0",
    "model": "resnet9",
    "model.width": "8",
    "augment": "[flip,crop]",
    "save_every": "100000",
    "logger": "[]",
}
LONGER = {"trainer.max_epochs": "20", "data.batch_size": "64"}  # 580 steps instead of 150


class Pair(NamedTuple):
    """A comparison: what is said beyond the base on the side with the trick, and on the other."""

    name: str
    with_it: Words
    without: Words


def pairs() -> Iterator[Pair]:
    """Every comparison, by the name of the choice: `group=choice`, or `key=value`."""
    for choice in menu.choices("augment"):
        listed = ["flip", "crop"] if choice in ("flip", "crop") else ["flip", "crop", choice]
        without = [one for one in listed if one != choice]
        if choice != "none":
            yield Pair(f"augment={choice}", _list("augment", listed), _list("augment", without))
    tricks = [one for one in menu.choices("trick") if "teacher" not in menu.keys("trick", one)]
    plain = [Pair(f"trick={choice}", _list("trick", [choice]), {}) for choice in tricks]
    for group, other in (("optimizer", "sgd"), ("schedule", "constant")):
        for choice in menu.choices(group):
            if choice not in (other, "lbfgs"):  # a batch of 1,800 images is another budget
                plain.append(Pair(f"{group}={choice}", {group: choice}, {group: other}))
    yield from (_where_it_shows(pair) for pair in plain if pair.name not in WAITING)
    for key, values in KEYS.items():
        for value in values:
            yield Pair(f"{key}={value}", {key: value}, {})
    yield Pair("data.balance=true", {"data.balance": "true"}, {})


def _where_it_shows(pair: Pair) -> Pair:
    """A comparison in a longer run, for a choice that cannot act within 150 steps or under a falling rate."""
    if pair.name not in LONG_RUNS:
        return pair
    words, against = LONG_RUNS[pair.name]
    return Pair(pair.name, pair.with_it | words | LONGER, against | LONGER)


CONSTANT = {"schedule": "constant"}
WAITING = ("trick=early_stopping", "schedule=plateau")  # for a metric that stalls
LONG_RUNS = {  # what is said besides the choice, and what it is compared with
    "trick=sam": ({}, {}),
    "trick=batch_growth": (CONSTANT, {"schedule": "multistep"}),
    "trick=ema": (CONSTANT, CONSTANT),
    "trick=swa": (CONSTANT, CONSTANT),
    "optimizer=prodigy": ({}, {"optimizer": "adamw", "schedule": "cosine"}),
    "optimizer=schedule_free": ({}, {"optimizer": "adamw"} | CONSTANT),
    "schedule=step": ({}, CONSTANT),
}
KEYS = {
    "model.norm": ("group", "frozen", "none"),
    "model.init": ("xavier_normal", "kaiming_normal", "orthogonal", "trunc_normal", "small", "large", "lsuv"),
    "model.activation": ("leaky_relu", "gelu", "silu", "tanh", "sigmoid"),
    "model.dropout": ("0.3",),
    "model.dropout2d": ("0.1",),
    "model.stochastic_depth": ("0.2",),
    "model.pool": ("fractional_max",),
    "loss.label_smoothing": ("0.1",),
    "optimizer.weight_decay": ("0", "0.05"),
    "optimizer.decay_norm_bias": ("true",),
    "trainer.gradient_clip_val": ("1",),
    "trainer.accumulate_grad_batches": ("4",),
}


def main() -> None:
    """Do the runs that are missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of CIFAR-10")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--only", default="", help="words that a comparison's name contains, by commas")
    args = parser.parse_args()
    wanted = [pair for pair in pairs() if any(word in pair.name for word in args.only.split(","))]
    RECORD.fill(
        {
            (one_line(words), seed): BASE | {"data.root": str(args.data)} | words
            for seed in range(args.seeds)
            for pair in wanted
            for words in (pair.with_it, pair.without)
        },
        args.workers,
    )
    (RESULTS / "tricks.md").write_text(table(), encoding="utf-8")


def table() -> str:
    """Every comparison whose runs are there: mean, standard error, paired difference."""
    kept = RECORD.read()
    rows = []
    for pair in pairs():
        one, other = one_line(pair.with_it), one_line(pair.without)
        seeds = [seed for name, seed in kept if name == one and (other, seed) in kept]
        if len(seeds) > 1:
            with_it, without = ([kept[name, seed] for seed in seeds] for name in (one, other))
            gains = [100 * (a - b) for a, b in zip(with_it, without, strict=True)]
            cells = [spread(side) for side in (with_it, without)]
            rows.append((pair, cells, gains, len(seeds)))
    lines = [HEAD.format(budget=BUDGET, date=date.today(), machine=machine()), *TITLES]
    for pair, cells, gains, seeds in rows:
        lines.append(
            f"| `{pair.name}` | `{one_line(pair.without) or 'base'}` | {cells[0]} | {cells[1]} "
            f"| {statistics.fmean(gains):+.1f} ± {error(gains):.1f} | {seeds} |"
        )
    return "\n".join(lines) + "\n"


HEAD = """# What each trick brings

{budget};
AdamW with one cycle, flip and crop. A choice that cannot act in so few steps, or not under a falling rate,
is compared over 20 epochs in batches of 64, as the second column says; `trick=early_stopping` and
`schedule=plateau` are not compared, since they wait for a metric that stalls, which none did in 20 epochs.
Both sides of a line differ in the choice and what it needs, and share their seeds. Mean and standard error in
percent; the difference is paired by seed. Values are those of the config files, untuned: a trick for large
nets cannot show itself here, and a difference below two standard errors shows nothing.

    .venv/bin/python benchmarks/tricks.py --data FOLDER

Last run: {date}, {machine}. Runs are kept: lines over 10 epochs were measured on 21 November 2026, before the
split of the images was made by their content.
"""
TITLES = (
    "| trick | against | with | without | difference | seeds |",
    "|---|---|---|---|---|---|",
)


def _list(group: str, names: list[str]) -> Words:
    return {group: f"[{','.join(names)}]"} if names != ["flip", "crop"] else {}


if __name__ == "__main__":
    main()
