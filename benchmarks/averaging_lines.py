"""The runs that the benchmark of averaging trains, and the ways to evaluate them."""

from collections.abc import Sequence
from typing import NamedTuple

from many_runs import Words

BASE = {
    "trainer": "cpu",
    "trainer.max_epochs": "8",
    "data": "folder",
    "data.storage": "memory",
    "data.size": "32",
    "data.workers": "0",
    "data.batch_size": "64",
    "model": "resnet9",
    "model.width": "8",
    "model.channels_last": "true",
    "augment": "[flip,crop]",
    "save_every": "100000",
    "logger": "[]",
}
KINDS: dict[str, Words] = {
    "one cycle": {},
    "one cycle, EMA": {"trick": "[ema]"},
    "restarts": {"schedule": "cosine_restarts", "trick": "[snapshots]"},
    "constant, SWA": {"schedule": "constant", "trick": "[swa]"},
    "constant, EMA": {"schedule": "constant", "trick": "[ema]"},
    "five times as long": {"trainer.max_epochs": "40"},
}
FIVE = (0, 1, 2, 3, 4)
THREE = (0, 1, 2)
SINGLE, PLAIN, EMA = "single", "one cycle", "one cycle, EMA"


class Line(NamedTuple):
    """A way to evaluate runs of one kind: the seeds of the members of each evaluation, and its words."""

    name: str
    kind: str
    seeds: Sequence[tuple[int, ...]]
    words: Words
    against: str = SINGLE


def each(seeds: Sequence[int]) -> list[tuple[int, ...]]:
    """Every run by itself."""
    return [(seed,) for seed in seeds]


LAST = {"checkpoint": "last"}
RAW = LAST | {"weights": "raw"}
CYCLES = {"members": "snapshots", "weights": "raw"}
NEAR = {"tta": "full", "tta.scales": "[32,34,36,38,40]"}
LINES = (
    Line(SINGLE, EMA, each(FIVE), RAW),
    Line("`trick=[ema]`", EMA, each(FIVE), LAST | {"weights": "ema"}),
    Line("`tta=flip`", EMA, each(FIVE), RAW | {"tta": "flip"}),
    Line("`tta=ten_crop`", EMA, each(THREE), RAW | {"tta": "ten_crop"}),
    Line("`tta=multi_scale`", EMA, each(THREE), RAW | {"tta": "multi_scale"}),
    Line("`tta=full tta.scales=[32,34,36,38,40]`", EMA, each((0,)), RAW | NEAR),
    Line("`tta=full`", EMA, each((0,)), RAW | {"tta": "full"}),
    Line("ensemble of 2", EMA, [(0, 1), (2, 3)], RAW),
    Line("ensemble of 5", EMA, [FIVE], RAW),
    Line("ensemble of 5, `tta=flip`", EMA, [FIVE], RAW | {"tta": "flip"}),
    Line("restarts: its end", "restarts", each(THREE), RAW),
    Line("restarts: the last 2 snapshots", "restarts", each(THREE), CYCLES | {"snapshots": "2"}),
    Line("restarts: all 3 snapshots", "restarts", each(THREE), CYCLES),
    Line("constant rate", "constant, SWA", each(THREE), RAW),
    Line("constant rate, SWA", "constant, SWA", each(THREE), LAST | {"weights": "swa"}, "constant rate"),
    Line("constant rate, EMA", "constant, EMA", each(THREE), LAST | {"weights": "ema"}, "constant rate"),
    Line("trained 5 times as long", "five times as long", each((0,)), RAW),
)
