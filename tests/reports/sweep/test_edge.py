"""Whatever a report on a sweep proposes passes the check of the config."""

import shlex
from unittest import mock

import numpy as np
import pytest

from imagelab.config.schema import Run
from imagelab.launch import check_words
from imagelab.reports.sweep.findings import sweep_findings
from imagelab.reports.sweep.rows import read_sweep
from imagelab.sweep.entry import prepare
from imagelab.sweep.space import parsed
from tests.reports.sweep.made_sweeps import made

SPACES = {
    "optimizer.lr": ["tag(log,interval(1e-4,1))", "interval(0.1,0.101)", "choice(0.01,0.1,1)"],
    "data.batch_size": [
        "int(interval(1,256))",
        "choice(1,2,4)",
        "tag(log,int(interval(8,512)))",
        "range(1,9)",
    ],
    "trainer.accumulate_grad_batches": ["choice(1,2,4)", "range(1,4)", "int(interval(1,8))"],
    "trick.ema.decay": ["choice(0.9,0.99,0.999)", "interval(0.9,0.9999)", "interval(0,0.999)"],
    "model.dropout": ["interval(0,0.5)", "interval(0.1,0.9)", "choice(0.5,0.7,0.9)"],
    "loss.label_smoothing": ["choice(0,0.1,0.2)", "interval(0,0.9)"],
    "optimizer.weight_decay": ["interval(0,0.1)", "tag(log,interval(1e-6,1))", "choice(0,0.01,0.02)"],
    "data.val_fraction": ["interval(0.1,0.9)", "choice(0.1,0.5,0.9)"],
    "trainer.max_epochs": ["range(1,30)", "int(interval(1,2))"],
}


def proposed(folder, number: int) -> list[str]:
    """The commands proposed after a sweep whose best trials are at one end of two ranges."""
    rng = np.random.default_rng(number)
    names = rng.choice(list(SPACES), 2, replace=False).tolist()
    space = {name: str(rng.choice(SPACES[name])) for name in names}
    space |= {"seed": "choice(0,1)"} if number % 3 == 0 else {}
    ranges = {name: parsed(name, text, name) for name, text in space.items()}
    signs = rng.choice([-1, 1], 2)
    trials = []
    for _ in range(16):
        shares = [rng.uniform() ** 3 for _ in names]
        at = [share if sign < 0 else 1 - 1e-9 - share for share, sign in zip(shares, signs, strict=True)]
        values = {name: ranges[name].draw(share) for name, share in zip(names, at, strict=True)}
        values |= {"seed": str(rng.integers(2))} if "seed" in space else {}
        trials.append((values, 1 - sum(shares)))
    typed = ["sweep=random", "trick=[ema]", *(f"{name}={text}" for name, text in space.items())]
    sweep = read_sweep(made(folder / str(number), space, trials, typed=tuple(typed), fixed=("trick=[ema]",)))
    commands = [part for one in sweep_findings(sweep) for part in f"{one.fix} `{one.value}`".split("`")[1::2]]
    return [command for command in commands if command.startswith("imagelab train")]


def checked(command: str) -> None:
    """Refuse a command as `imagelab train` does, without importing what it names."""
    words = shlex.split(command)[2:]
    with mock.patch("imagelab.config.validate.thorough_problems", return_value=[]):
        if words[0] == "-m":
            prepare(words[1:], lambda some: check_words(some, "train", Run, sweep=True))
        else:
            check_words(words, "train", Run, sweep=False)


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_every_command_that_a_report_proposes_passes_the_check(tmp_path, count):
    commands = [command for number in range(count) for command in proposed(tmp_path, number)]
    assert len(commands) >= count
    assert sum("=int(" in command or "interval(" in command for command in commands) > count / 4
    for command in commands:
        checked(command)
