"""Every choice of `schedule=` against its closed formula, written out here: on paper, and in a real run."""

import csv
import zlib
from math import cos, exp, floor, pi, sqrt

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import ReduceLROnPlateau

from imagelab.build import make
from imagelab.config import menu
from imagelab.training.step_plan import StepPlan
from tests.fitting import built

SEED = 5


def triangle(u):
    return 2 * u if u < 0.5 else 2 - 2 * u


def in_cycle(t):
    """The share of its cycle that is done: cycles of a seventh, two and four sevenths of the run."""
    start, length = next(
        (s, n) for s, n in ((3 * 0.14286, 4 * 0.14286), (0.14286, 2 * 0.14286), (0, 0.14286)) if t >= s
    )
    return (t - start) / length


def noisy(t, step):
    rng = np.random.default_rng([SEED, zlib.crc32(b"schedule"), step])
    line = 1 - t + rng.standard_normal() / sqrt((1 + step) ** 0.55)
    return min(max(line, 0), 1) * (1 + cos(pi * t)) / 2 + 0.001


# t: share of the steps after warm-up; e: epochs after warm-up; epoch, run: epochs and share of the whole run;
# step: after warm-up; steps: of those how many there are.
FORMULAS = {
    "constant": lambda t, e, epoch, run, step, steps: 1.0,
    "step": lambda t, e, epoch, run, step, steps: 0.1 ** floor(epoch / 10),
    "multistep": lambda t, e, epoch, run, step, steps: 0.1 ** ((run >= 0.5) + (run >= 0.75)),
    "exponential": lambda t, e, epoch, run, step, steps: 0.9**e,
    "inverse_time": lambda t, e, epoch, run, step, steps: 1 / (1 + 0.5 * e),
    "inverse": lambda t, e, epoch, run, step, steps: (1 + 1e-4 * step) ** -0.75,
    "inverse_sqrt": lambda t, e, epoch, run, step, steps: 1 / sqrt(1 + e),
    "polynomial": lambda t, e, epoch, run, step, steps: (1 - t) ** 2,
    "linear": lambda t, e, epoch, run, step, steps: 1 - t,
    "sigmoid": lambda t, e, epoch, run, step, steps: 1 / (1 + exp(18 * (t - 0.667))),
    "cosine": lambda t, e, epoch, run, step, steps: (1 + cos(pi * t)) / 2,
    "cosine_restarts": lambda t, e, epoch, run, step, steps: (1 + cos(pi * in_cycle(t))) / 2,
    "linear_cosine": lambda t, e, epoch, run, step, steps: (1 - t) * (1 + cos(pi * t)) / 2 + 0.001,
    "noisy_linear_cosine": lambda t, e, epoch, run, step, steps: noisy(t, step),
    "cyclic": lambda t, e, epoch, run, step, steps: 0.1 + 0.9 * triangle(4 * t - floor(4 * t)),
    "one_cycle": lambda t, e, epoch, run, step, steps: (
        1 + (1 / 25 - 1) * (1 + cos(pi * step / (0.3 * steps - 1))) / 2
        if step <= 0.3 * steps - 1
        else 4e-6 + (1 - 4e-6) * (1 + cos(pi * (step - 0.3 * steps + 1) / (0.7 * steps))) / 2
    ),
}


def expected(choice, *, warmup, floor, epochs, per_epoch):
    """The factor at each step of a run by the formula."""
    total, factors = epochs * per_epoch, []
    for done in range(total):
        s = max(done, warmup)
        factor = FORMULAS[choice](
            t=(s - warmup) / (total - warmup),
            e=(s - warmup) / per_epoch,
            epoch=s / per_epoch,
            run=s / total,
            step=s - warmup,
            steps=total - warmup,
        )
        rise = (done + 1) / (warmup + 1) if done < warmup else 1
        factors.append(rise * (floor + (1 - floor) * factor))
    return factors


def of_yaml(choice, **changes):
    node = OmegaConf.to_container(OmegaConf.load(menu.folder() / "schedule" / f"{choice}.yaml"))
    return make(node | changes, seed=SEED)


def test_every_choice_but_plateau_has_its_formula_here():
    assert sorted([*FORMULAS, "plateau"]) == menu.choices("schedule")


@pytest.mark.parametrize("choice", FORMULAS)
@pytest.mark.parametrize(("warmup", "floor"), [(0, 0), (23, 0.1)])
def test_the_whole_curve_is_its_formula(choice, warmup, floor):
    schedule = of_yaml(choice, warmup=warmup, floor=floor)
    step_plan = StepPlan(batches=9, windows=[1] * 25, images=1)
    factors = [schedule.scale(step, step_plan) for step in range(225)]
    assert factors == pytest.approx(
        expected(choice, warmup=warmup, floor=floor, epochs=25, per_epoch=9), abs=1e-9
    )
    assert min(factors) > 0
    assert max(factors) == pytest.approx(1, abs=0.01 if warmup == 0 else 0.08)


def test_the_noise_is_another_for_each_step_and_seed_and_the_same_when_asked_again():
    node = OmegaConf.to_container(OmegaConf.load(menu.folder() / "schedule" / "noisy_linear_cosine.yaml"))
    step_plan = StepPlan(batches=100, windows=[1], images=1)
    noises = [make(node | {"periods": 1e-9, "variance": 0.01}, seed=seed) for seed in (1, 1, 2)]
    one, again, other = ([noise.scale(step, step_plan) for step in range(100)] for noise in noises)
    smooth = [1 - s / 100 + 0.001 for s in range(100)]
    assert one == again
    off = np.array([one, other])[:, 30:90] - smooth[30:90]
    spread = np.array([0.1 / (1 + s) ** 0.275 for s in range(30, 90)])
    assert (off / spread).std() == pytest.approx(1, abs=0.2)
    assert abs(np.corrcoef(*off)[0, 1]) < 0.4


def rates_of_a_run(words, folder):
    """Fit with accumulation and two groups whose rates differ tenfold; rates of both at every step."""
    short = ["trainer=cpu", "trainer.max_epochs=4", "data.limit=60", "data.batch_size=8", "model.widths=[4]"]
    short += ["trainer.log_every_n_steps=1", "trainer.accumulate_grad_batches=2", "optimizer.lr=0.02"]
    parts = built([*short, f"seed={SEED}", "schedule.warmup=3", "schedule.floor=0.1", *words], folder)
    decay, rest = parts.classifier.groups
    rest["lr"] = decay["lr"] / 10
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    rows = [row for row in rows if row["lr/decay"]]
    assert [int(row["step"]) for row in rows] == list(range(1, parts.trainer.global_step + 1))
    return parts, [[float(row[f"lr/{group['name']}"]) for row in rows] for group in (decay, rest)]


@pytest.mark.parametrize("choice", FORMULAS)
def test_a_run_follows_the_formula_at_every_step_and_keeps_the_ratio_between_groups(choice, tmp_path):
    parts, (fast, slow) = rates_of_a_run([f"schedule={choice}"], tmp_path)
    per_epoch = parts.trainer.global_step // 4
    factors = expected(choice, warmup=3, floor=0.1, epochs=4, per_epoch=per_epoch)
    assert len(factors) == len(fast) > 12
    assert fast == pytest.approx([0.02 * factor for factor in factors], abs=1e-11)
    assert slow == pytest.approx([0.002 * factor for factor in factors], abs=1e-11)


def test_a_run_on_a_plateau_drops_where_torch_does(tmp_path):
    words = ["schedule=plateau", "schedule.patience=0", "schedule.threshold=0.3", "schedule.factor=0.5"]
    parts, (fast, slow) = rates_of_a_run(words, tmp_path)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs, per_epoch = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.3), len(fast) // 4
    factors = []
    for metrics in parts.classifier.history:
        factors += [optimizer.param_groups[0]["lr"]] * per_epoch
        theirs.step(metrics["val/loss"])
    factors = [(min(s, 3) + 1) / 4 * (0.1 + 0.9 * factor) for s, factor in enumerate(factors)]
    assert len(set(factors[3:])) > 1
    assert fast == pytest.approx([0.02 * factor for factor in factors], rel=1e-9)
    assert slow == pytest.approx([0.002 * factor for factor in factors], rel=1e-9)
