"""A network trained stage by stage: frozen weights stay bit-identical, each stage has its own rate."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Callback

from imagelab.config import menu
from imagelab.finetune.moves import Move
from imagelab.model.stages import Stage
from imagelab.training.step_plan import StepPlan
from imagelab.transfer import TransferClassifier
from tests.fitting import built, fitted
from tests.trick.averaging import average_of

STEPS = ["trainer=cpu", "data.limit=80", "data.batch_size=16", "logger=[]", "model.widths=[8,8,16]"]
STAGES = ["stem", "features.4", "features.8", "head"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """The word for weights to start from."""
    folder = tmp_path_factory.mktemp("trained")
    fitted([*STEPS, "trainer.max_epochs=2"], folder)
    return f"model.weights={folder}"


class Watch(Callback):
    """The weights before the first step and after each epoch, and the rates of every step."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, torch.Tensor]] = []
        self.rates: list[dict[str, float]] = []

    def on_train_start(self, trainer, pl_module):
        self.keep(pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self.keep(pl_module)

    def keep(self, module):
        self.epochs.append({name: value.clone() for name, value in module.net.state_dict().items()})

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append({group["name"]: group["lr"] for group in optimizer.param_groups})


def with_callback(words: list[str], folder: Path, callback: Callback) -> tuple[Any, Any]:
    """The parts of a run, not yet trained, whose trainer calls one more."""
    parts = built([*STEPS, *words], folder)
    parts.trainer.callbacks.append(callback)  # pyright: ignore[reportAttributeAccessIssue]
    return parts, callback


def watched(words: list[str], folder: Path) -> tuple[Any, Watch]:
    parts, watch = with_callback(words, folder, Watch())
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, watch


def stage_of(parts, name):
    """The place of the stage that a weight or a statistic belongs to."""
    for place, move in enumerate(parts.classifier.moves):
        inside = any(name.startswith(f"{root}.") for root in move.stage.modules)
        if name in move.stage.parameters or inside:
            return place
    raise AssertionError(name)


def still_until_they_start(parts, watch):
    """Each weight is what it was until its stage begins to move, and moves then."""
    for place, move in enumerate(parts.classifier.moves):
        names = [name for name in watch.epochs[0] if stage_of(parts, name) == place]
        assert names
        for epoch, (before, after) in enumerate(zip(watch.epochs, watch.epochs[1:], strict=False)):
            same = [torch.equal(before[name], after[name]) for name in names]
            assert all(same) if not move.moves(epoch) else not all(same), (move.stage.name, epoch)


OTHER = ("lbfgs", "prodigy", "schedule_free")  # which stages, or averages, do not go with
OPTIMIZERS = [name for name in menu.choices("optimizer") if name not in OTHER]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_optimizer_changes_frozen_weights(optimizer, weights, tmp_path):
    words = ["finetune=gradual", "trainer.max_epochs=3", f"optimizer={optimizer}", weights]
    if optimizer not in ("adagrad", "rmsprop"):
        words.append("optimizer.weight_decay=0.1")
    parts, watch = watched([*words, "model.dropout=0.3", "trick=[ema]"], tmp_path)
    assert [move.start for move in parts.classifier.moves] == [None, 2, 1, 0]
    still_until_they_start(parts, watch)
    averaged = average_of(parts).weights
    stem = [name for name in averaged if stage_of(parts, name) == 0]
    assert all(torch.equal(averaged[name], watch.epochs[0][name]) for name in stem)
    assert len(stem) >= 5


@pytest.mark.parametrize("strategy", ["linear_probe", "top_half", "two_phase", "discriminative", "full"])
def test_stages_train_when_their_strategy_says(strategy, weights, tmp_path):
    words = [f"finetune={strategy}", "trainer.max_epochs=3", weights, "augment=[flip]", "trick=[l2,agc]"]
    if strategy in ("top_half", "two_phase"):
        words.append("finetune.head_epochs=1")
    parts, watch = watched([*words, "trainer.accumulate_grad_batches=2"], tmp_path)
    starts = {"linear_probe": [None] * 3 + [0], "top_half": [None, 1, 1, 0], "two_phase": [1, 1, 1, 0]}
    assert [move.start for move in parts.classifier.moves] == starts.get(strategy, [0] * 4)
    still_until_they_start(parts, watch)


def test_norms_keep_their_statistics_on_request(weights, tmp_path):
    words = ["finetune=discriminative", "finetune.norm=frozen", "trainer.max_epochs=1", weights]
    first, last = watched(words, tmp_path)[1].epochs
    for name in first:
        assert torch.equal(first[name], last[name]) == ("running" in name or "tracked" in name), name


def test_swa_keeps_the_statistics_of_frozen_norms(weights, tmp_path):
    words = ["finetune=top_half", "trainer.max_epochs=3", weights, "trick=[swa]", "trick.swa.start=0.3"]
    parts, watch = watched(words, tmp_path)
    averaged = average_of(parts).weights
    for name in (one for one in averaged if "running" in one):
        frozen = stage_of(parts, name) == 0
        assert torch.equal(averaged[name], watch.epochs[0][name]) == frozen, name
        assert not torch.equal(averaged[name], watch.epochs[-1][name]) or frozen, name


@pytest.mark.parametrize("schedule", [name for name in menu.choices("schedule") if name != "plateau"])
def test_at_every_step_the_rate_of_a_stage_is_that_of_the_head_times_decay_to_its_distance(
    schedule, weights, tmp_path
):
    words = [f"schedule={schedule}", "schedule.warmup=0.2", "trainer.max_epochs=2", weights]
    tuned = [*words, "finetune=discriminative", "finetune.decay=0.4", "optimizer=sgd", "optimizer.lr=0.001"]
    parts, watch = watched(tuned, tmp_path)
    classifier = parts.classifier
    assert len(watch.rates) == classifier.step_plan.total
    for step, rates in enumerate(watch.rates):
        head = 0.001 * classifier.schedule.scale(step, classifier.step_plan)
        for name, rate in rates.items():
            distance = 3 - STAGES.index(name.removesuffix(".no_decay").removesuffix(".decay"))
            assert rate == pytest.approx(head * 0.4**distance, rel=1e-9)


def test_a_newly_unfrozen_stage_gets_its_own_warm_up(weights, tmp_path):
    words = ["finetune=gradual", "finetune.rewarm=2", "finetune.decay=1", "trainer.max_epochs=3", weights]
    parts, watch = watched([*words, "schedule=constant"], tmp_path)
    steps, lr = parts.classifier.step_plan.steps(0), 0.003
    found = [rates["features.8.decay"] / lr for rates in watch.rates]
    assert found[:steps] == [0] * steps
    assert found[steps:] == pytest.approx([1 / 3, 2 / 3] + [1] * (2 * steps - 2))
    assert [rates["head.decay"] for rates in watch.rates] == [lr] * len(watch.rates)
    late = [rates["features.4.decay"] / lr for rates in watch.rates]
    assert late == pytest.approx([0] * 2 * steps + [1 / 3, 2 / 3] + [1] * (steps - 2))
    assert math.isclose(late[-1], 1)


def test_frozen_stages_are_still_frozen_after_validation(weights, tmp_path):
    seen = []

    class Look(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            trains = {name for name, layer in pl_module.net.named_modules() if layer.training}
            seen.append((trainer.current_epoch, "features.1" in trains, "features.9" in trains))

    words = ["finetune=gradual", "trainer.max_epochs=2", weights]
    parts, _ = with_callback(words, tmp_path, Look())
    parts.trainer.val_check_interval = 2
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert len(seen) == 2 * parts.classifier.step_plan.steps(0)
    assert all(stem is False and top == (epoch == 1) for epoch, stem, top in seen)


@pytest.mark.parametrize(("epoch", "batch", "done"), [(2, 0, 0), (2, 3, 3), (3, 1, 5)])
def test_the_warm_up_of_a_stage_counts_steps_since_it_began_to_train(epoch, batch, done):
    module: Any = SimpleNamespace(
        moves=[Move(stage=Stage(name="body", parameters=(), modules=()), start=2, factor=1.0)],
        current_epoch=epoch,
        step_plan=StepPlan(batches=4, windows=[1] * 5, images=8),
        strategy=SimpleNamespace(ramp=lambda step, steps: (step, steps)),
    )
    assert TransferClassifier.rate_share(module, {"stage": 0}, batch) == (done, 4)
