"""Drops counted from the history of a metric against torch's ReduceLROnPlateau, also after a stop."""

import random

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.problem import Problem
from imagelab.schedule import Plateau
from imagelab.training.step_plan import StepPlan
from tests.fitting import built

BARE = {"warmup": 0, "floor": 0}
STEP_PLAN = StepPlan(batches=1, windows=[1] * 200, images=1)


def plateau(**changes):
    values = {"monitor": "m", "mode": "min", "factor": 0.5, "patience": 3, "threshold": 0.01, "cooldown": 0}
    return Plateau(**BARE, **values | changes)


@pytest.mark.parametrize("draw", range(30))
def test_the_rate_after_any_history_is_that_of_torch(draw):
    rng = random.Random(draw)
    knobs = {
        "mode": rng.choice(["min", "max"]),
        "factor": rng.choice([0.1, 0.5, 0.9]),
        "patience": rng.randint(0, 4),
        "threshold": rng.choice([0, 1e-4, 0.05]),
        "cooldown": rng.choice([0, 0, 1, 5]),
    }
    values = [rng.choice([1.0, rng.uniform(0.1, 2), float("nan")]) for _ in range(150)]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs, rates = ReduceLROnPlateau(optimizer, **knobs, eps=0), []
    for value in values:
        theirs.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    schedule, history = plateau(**knobs), [{"m": value} for value in values]
    ours = [schedule.scale(n, STEP_PLAN, history[:n]) for n in range(1, 151)]
    assert ours == pytest.approx(rates, rel=1e-9)
    assert ours[-1] < 1


def test_cooldown_delays_the_next_drop():
    assert plateau(patience=1).drops([1.0] * 9) == 4
    assert plateau(patience=1, cooldown=2).drops([1.0] * 9) == 2


def test_the_floor_is_never_passed():
    schedule = Plateau(
        warmup=0, floor=0.2, monitor="m", mode="min", factor=0.1, patience=0, threshold=0, cooldown=0
    )
    assert schedule.scale(50, STEP_PLAN, [{"m": 1.0}] * 50) == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "schedule.monitor=val/los",
            "schedule.monitor: there is no metric 'val/los'; did you mean 'val/loss'?",
        ),
        ("schedule.monitor=val/accuracy", "schedule.mode: wants max for val/accuracy, got min"),
        ("schedule.mode=max", "schedule.mode: wants min for val/loss, got max"),
    ],
)
def test_a_metric_that_is_not_there_or_watched_the_wrong_way_is_named(word, said):
    composed = compose("train", ["schedule=plateau", word])
    assert composed.problems + validate.problems(plain(composed.cfg)) == [said]


def test_a_metric_of_many_classes_is_refused_for_few(tmp_path):
    words = ["schedule=plateau", "schedule.monitor=val/accuracy_top5", "schedule.mode=max"]
    with pytest.raises(Problem, match=r"schedule.monitor: val/accuracy_top5 needs more than 10 classes"):
        built(["trainer=cpu", *words], tmp_path)


WORDS = [
    "trainer=cpu",
    "trainer.max_epochs=5",
    "data.limit=60",
    "data.batch_size=8",
    "model.widths=[4]",
    "trainer.log_every_n_steps=1",
    "schedule=plateau",
    "schedule.patience=0",
    "schedule.threshold=0.2",
    "save_every=0",
]


def test_a_run_resumed_in_the_middle_of_an_epoch_drops_as_the_undisturbed_one(tmp_path, monkeypatch):
    whole = built(WORDS, tmp_path / "whole")
    kept = tmp_path / "step.ckpt"
    save = whole.saver.save

    def keep(trainer, best=False):
        save(trainer, best)
        if trainer.current_epoch == 3 and not kept.exists() and not best:
            kept.write_bytes((whole.saver.folder / "last.ckpt").read_bytes())

    monkeypatch.setattr(whole.saver, "save", keep)
    whole.trainer.fit(whole.classifier, datamodule=whole.data)
    checkpoint = torch.load(kept, weights_only=True)
    assert [type(value) for metrics in checkpoint["imagelab"]["history"] for value in metrics.values()] == [
        float
    ] * sum(map(len, whole.classifier.history[:3]))
    again = built(WORDS, tmp_path / "whole")
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=kept)
    assert again.classifier.history == whole.classifier.history
    assert again.trainer.optimizers[0].param_groups[0]["lr"] < 0.5 * again.classifier.groups[0]["initial_lr"]
    for name, weight in whole.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name]), name
