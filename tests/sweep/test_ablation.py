"""What each choice brings, over seeds."""

import json

import pytest

from imagelab.sweep.ablation import FINDINGS
from tests.sweep.made import sweep

GAINS = {"ema": 0.03, "agc": -0.01}


def accuracy(cfg):
    """The seed moves all runs alike, the tricks add up, and one has a little noise of its own."""
    return 0.7 + 0.1 * cfg["seed"] + sum(GAINS[name] for name in cfg["trick"]) + 0.001 * (cfg["seed"] == 1)


@pytest.mark.parametrize(("how", "signs"), [("add", 1), ("leave_out", -1)])
def test_gains_are_differences_between_runs_with_the_same_seed(how, signs, tmp_path):
    words = ["-m", "sweep=ablation", "sweep.choices=[ema,agc]", f"sweep.how={how}", "sweep.seeds=2"]
    said = sweep(accuracy, *words, "hydra.sweep.dir=found", folder=tmp_path)
    assert said.status == 0, said.out + said.err
    found = json.loads((tmp_path / "found" / FINDINGS).read_text())["gains"]
    prefix = "with" if how == "add" else "without"
    assert {name: round(one["mean"], 6) for name, one in found.items()} == {
        f"{prefix} {name}": round(signs * gain / 2, 6)
        for name, gain in GAINS.items()  # the test halves it
    }
    assert all(one["half_width"] < 1e-6 for one in found.values())
    assert f"{prefix} ema" in said.out


WORTH = {"image": 0.2, "age": 0.1}


def by_signals(cfg):
    """Image and age add up; a site is worth nothing."""
    return 0.3 + 0.1 * cfg["seed"] + sum(WORTH.get(name, 0) for name in cfg["data"]["signals"])


SIGNALS = {  # choices, how -> the gain of each
    ("image,age,site", "add"): {"with image": 0.1, "with age": 0.05, "with site": 0},
    ("image,age,site", "leave_out"): {"without image": -0.1, "without age": -0.05, "without site": 0},
    ("age,site", "add"): {"with age": 0.05, "with site": 0},  # to the image
}


@pytest.mark.parametrize(("choices", "how"), SIGNALS)
def test_signals_are_added_or_left_out_one_at_a_time(choices, how, tmp_path):
    words = ["-m", "sweep=ablation", "sweep.group=signals", f"sweep.choices=[{choices}]", f"sweep.how={how}"]
    more = ["sweep.seeds=2", "hydra.sweep.dir=found", "data=folder", f"data.root={tmp_path}"]
    said = sweep(by_signals, *words, *more, folder=tmp_path)
    assert said.status == 0, said.out + said.err
    found = json.loads((tmp_path / "found" / FINDINGS).read_text())["gains"]
    assert {name: round(one["mean"], 6) for name, one in found.items()} == SIGNALS[choices, how]


MISTAKES = {
    "sweep=ablation": "sweep.choices: wants different names such as [ema,agc], got none",
    "sweep=ablation sweep.choices=[ema] optimizer.lr=0.1,0.2": "optimizer.lr: sweep=ablation changes one",
    "sweep=batch optimizer.lr=0.1,0.2": "optimizer.lr: sweep=batch compares batch sizes at one setting",
    "sweep=batch optimizer.lr_scaling=linear": "optimizer.lr_scaling: sweep=batch keeps the rate",
    "sweep=learning_curve optimizer.lr=0.1,0.2": "optimizer.lr: sweep=learning_curve changes the number",
    "sweep=learning_curve sweep.shares=[0.5,1]": "sweep.shares: wants 4 or more rising shares in (0, 1]",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_what_cannot_be_compared_is_refused_before_anything_starts(words, tmp_path):
    said = sweep(lambda _: pytest.fail("it ran"), "-m", *words.split(), folder=tmp_path)
    assert said.status == 2
    assert said.err.startswith(MISTAKES[words])
