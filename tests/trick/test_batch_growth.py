"""The effective batch grows as planned, the steps are counted right, and a stop changes no bit."""

import csv

import pytest
import torch

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.problem import Problem
from imagelab.trick.batch_growth import BatchGrowth
from tests.fitting import built, fitted_with_copies

# 12 batches an epoch, in windows of 5 with a short one of 2 at the end, at last all of them in one of 25.
WORDS = [
    "trainer=cpu",
    "trainer.max_epochs=6",
    "data.limit=100",
    "data.batch_size=8",
    "model.widths=[4]",
    "model.dropout=0.2",
    "trainer.log_every_n_steps=1",
    "schedule=cosine",
    "schedule.warmup=5",
    "save_every=0",
    "trick=[batch_growth]",
    "trick.batch_growth.milestones=[0.5,0.8]",
]
STEPS = [12, 12, 12, 3, 3, 1]


def rows_of(folder):
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undisturbed run, and copies of its checkpoint after some steps, by step."""
    folder = tmp_path_factory.mktemp("whole")
    parts, copies = fitted_with_copies(WORDS, folder)
    return parts, folder, copies


def test_steps_and_batches_are_as_planned(whole):
    parts, folder, _ = whole
    step_plan = parts.classifier.step_plan
    assert step_plan.batches == 12
    assert list(step_plan.windows) == [1, 1, 1, 5, 5, 25]
    assert [step_plan.steps(epoch) for epoch in range(6)] == STEPS
    assert parts.trainer.global_step == step_plan.total == sum(STEPS)
    rows = rows_of(folder)
    seen = [(int(row["epoch"]), int(row["batch_size"])) for row in rows if row["batch_size"]]
    assert seen == list(enumerate([8, 8, 8, 40, 40, 96]))
    taken = [int(row["epoch"]) for row in rows if row["lr/decay"]]
    assert [taken.count(epoch) for epoch in range(6)] == STEPS


def test_the_schedule_ends_with_the_run(whole):
    parts, folder, _ = whole
    rates = [float(row["lr/decay"]) for row in rows_of(folder) if row["lr/decay"]]
    peak, schedule, step_plan = (
        parts.classifier.groups[0]["initial_lr"],
        parts.classifier.schedule,
        parts.classifier.step_plan,
    )
    assert rates == pytest.approx([peak * schedule.scale(step, step_plan) for step in range(43)], rel=1e-12)
    cosine = (1 + torch.cos(torch.tensor(torch.pi * 37 / 38, dtype=torch.float64)).item()) / 2
    assert rates[-1] == pytest.approx(peak * cosine, rel=1e-9)


@pytest.mark.parametrize(
    "step", [14, 36, 37, 41, 42]
)  # before growth, at its border, in the midst of grown epochs
def test_a_run_resumed_after_any_step_equals_an_uninterrupted_one(whole, step, tmp_path):
    parts, _, copies = whole
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(copies[step])
    again = built(WORDS, tmp_path)
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=checkpoint)
    assert again.trainer.global_step == sum(STEPS)
    for name, weight in parts.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name]), name


def test_a_grown_step_equals_that_of_one_large_batch_and_so_does_the_short_last_one(tmp_path):
    words = ["trainer=cpu", "data.limit=60", "model.widths=[4]", "model.norm=group", "optimizer=sgd"]
    words += ["optimizer.weight_decay=0", "schedule=constant", "optimizer.lr=0.5", "trainer.max_epochs=2"]
    grown = built(
        [*words, "data.batch_size=10", "trick=[batch_growth]", "trick.batch_growth.milestones=[0.5]",
         "trick.batch_growth.factor=3"],
        tmp_path / "grown",
    )  # fmt: skip
    net = built([*words, "data.batch_size=10"], tmp_path / "plain").classifier.net
    batches = [
        grown.data.prepare_batch(batch, train=True, rank=0)
        for epoch in (0, 1)
        for batch in grown.data.train_loader(epoch=epoch, start=0, rank=0, ranks=1)
    ]
    grown.trainer.fit(grown.classifier, datamodule=grown.data)
    each = len(batches) // 2
    windows = [[batch] for batch in batches[:each]]
    windows += [batches[each:][first : first + 3] for first in range(0, each, 3)]
    assert grown.trainer.global_step == len(windows)
    for window in windows:
        images, targets = (torch.cat([batch[i] for batch in window]) for i in (0, 1))
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(images), targets).backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= 0.5 * parameter.grad
    for name, parameter in grown.classifier.net.named_parameters():
        torch.testing.assert_close(parameter, net.get_parameter(name), rtol=1e-4, atol=1e-6)


def test_the_batch_grows_with_the_first_epoch_at_or_after_a_milestone():
    growth = BatchGrowth(milestones=[0.3, 0.55], factor=2)
    assert growth.windows(3, epochs=10) == [3, 3, 3, 6, 6, 6, 12, 12, 12, 12]
    assert growth.windows(1, epochs=1) == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trick=[batch_growth]", "data.batch_size=full"], "trick.batch_growth: data.batch_size=full"),
        (
            ["trick=[batch_growth]", "optimizer=lbfgs", "data.batch_size=full"],
            "trick.batch_growth: LBFGS ",
        ),
        (
            [
                "+trick.mine._target_=lightning.pytorch.callbacks.GradientAccumulationScheduler",
                "+trick.mine.scheduling={3: 2}",
            ],
            "set trick=[batch_growth]",
        ),
    ],
)
def test_what_cannot_grow_is_refused(words, said):
    composed = compose("train", words)
    (sentence,) = composed.problems + validate.problems(plain(composed.cfg))
    assert said in sentence


def test_a_warmup_longer_than_the_reduced_number_of_steps_is_refused(tmp_path):
    with pytest.raises(Problem, match=r"schedule.warmup: wants fewer steps than the 43 of the whole run"):
        built([*WORDS, "schedule.warmup=43"], tmp_path)
    assert built([*WORDS, "schedule.warmup=42"], tmp_path).classifier.step_plan.total == 43


def test_a_milestone_at_an_epoch_is_not_missed_by_a_rounding():
    for epochs in range(2, 120):
        for epoch in range(1, epochs):
            grown = BatchGrowth(milestones=[epoch / epochs], factor=2).windows(1, epochs)
            assert grown == [1] * epoch + [2] * (epochs - epoch)
    assert BatchGrowth(milestones=[0.55], factor=2).windows(1, 100)[55] == 2  # 0.55 * 100 > 55


def test_growth_on_top_of_a_falling_rate_warns(tmp_path, caplog):
    for schedule, warns in (("one_cycle", True), ("constant", False)):
        caplog.clear()
        words = [
            "trainer=cpu",
            "data.limit=40",
            "data.batch_size=8",
            "trainer.max_epochs=2",
            "trick=[batch_growth]",
            "logger=[]",
        ]
        parts = built([*words, f"schedule={schedule}"], tmp_path / schedule)
        with caplog.at_level("WARNING", logger="imagelab"):
            for trick in parts.trainer.callbacks:
                if isinstance(trick, BatchGrowth):
                    trick.setup(parts.trainer, parts.classifier, "fit")
        assert ("OneCycle lets it fall to" in caplog.text) == warns
