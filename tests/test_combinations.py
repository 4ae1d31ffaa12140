"""Combinations that go wrong silently elsewhere: each is refused in a sentence, or gives the right number."""

import ast
import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import BaseFinetuning

from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.metrics.classification import split_metrics
from imagelab.problem import Problem
from tests.fitting import SHORT, built

TESTS = Path(__file__).parent
CALLBACKS = "lightning.pytorch.callbacks"
PLAIN = ["optimizer=sgd", "optimizer.weight_decay=0", "optimizer.lr=1", "schedule=constant"]


def problems(*words):
    composed = compose("train", list(words))
    return composed.problems + validate.problems(plain(composed.cfg))


@pytest.mark.parametrize(
    ("words", "beginning", "instead"),
    [
        (
            ["optimizer=lbfgs", "data.batch_size=full", "trainer.accumulate_grad_batches=2"],
            "trainer.accumulate_grad_batches: LBFGS ",
            "data.batch_size=full",
        ),
        (["trainer.overfit_batches=1"], "trainer.overfit_batches: ", "data.limit=N"),
        (
            [
                "optimizer=sgd",
                "++optimizer._target_=tests.test_combinations.layered",
                "++optimizer.layer_decay=0.7",
            ],
            "optimizer.layer_decay: ",
            "leave it out",
        ),
        (
            ["trick=[agc]", "trainer.gradient_clip_val=1"],
            "trick.agc: trainer.gradient_clip_val=1 also clips",
            "leave one of the two out",
        ),
        (["trick=[agc]", "optimizer=lbfgs", "data.batch_size=full"], "trick.agc: ", "leave it out"),
        (
            ["trick=[agc]", "trainer.precision=16-mixed", "+optimizer.fused=true"],
            "optimizer.fused: ",
            "trainer.precision=bf16-mixed",
        ),
        (
            ["trainer.gradient_clip_val=1", "trainer.precision=16-mixed", "+optimizer.fused=true"],
            "optimizer.fused: ",
            "optimizer.fused=false",
        ),
    ],
)
def test_combinations_that_fail_silently_are_refused(words, beginning, instead):
    (sentence,) = problems(
        "trainer=cpu", *[word.replace("trainer.overfit", "+trainer.overfit") for word in words]
    )
    assert sentence.startswith(beginning)
    assert instead in sentence


@pytest.mark.parametrize(
    ("name", "why", "instead"),
    [
        ("BackboneFinetuning", "after a resume", "leave it out"),
        ("LearningRateFinder", "on a linear scale", "set optimizer.lr=LR"),
        ("BatchSizeFinder", "no memory to spare", "set data.batch_size=N"),
        ("BatchSizeFinder", "run imagelab find_batch", "set data.batch_size=N"),  # room: finders
        ("StochasticWeightAveraging", "all parameter groups one rate", "set trick=[swa]"),
        ("EMAWeightAveraging", "neither validated nor saved", "set trick=[ema]"),
        ("EarlyStopping", "if a stopped run is resumed", "set trick=[early_stopping]"),
        ("ModelCheckpoint", "keeps its best and last", "save_every=SECONDS"),
        ("GradientAccumulationScheduler", "miscount the steps", "set trick=[batch_growth]"),
    ],
)
def test_lightning_callbacks_that_do_not_work_are_refused_by_name(name, why, instead):
    needs = {"EarlyStopping": ["++trick.x.monitor=val/loss"]}
    needs["StochasticWeightAveraging"] = ["++trick.x.swa_lrs=0.1"]
    needs["GradientAccumulationScheduler"] = ["++trick.x.scheduling={4: 2}"]
    (sentence,) = problems(f"++trick.x._target_={CALLBACKS}.{name}", *needs.get(name, []))
    assert sentence.startswith("trick.x: ")
    assert why in sentence
    assert sentence.endswith(instead)
    others = problems(
        "++trick.x._target_=lightning.pytorch.callbacks.LearningRateMonitor", "trick=[early_stopping]"
    )
    assert others == []


class Unfreezing(BaseFinetuning):
    """What a user would build on Lightning's."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.net)

    def finetune_function(self, pl_module, epoch, optimizer):
        pass


def test_a_subclass_of_base_finetuning_is_refused_before_training():
    (sentence,) = problems("++trick.x._target_=tests.test_combinations.Unfreezing")
    assert sentence.startswith("trick.x: tests.test_combinations.Unfreezing does not work here: ")


def test_a_class_that_is_not_a_trick_is_refused(tmp_path):
    with pytest.raises(Problem, match=r"trick\.x: Fraction is not a trick; make it a Lightning callback"):
        built([*SHORT, "++trick.x._target_=fractions.Fraction"], tmp_path)


@pytest.mark.parametrize("schedule", ["one_cycle", "cyclic", "plateau", "cosine_restarts"])
def test_parameter_groups_keep_the_ratio_of_their_rates_at_every_step(schedule, tmp_path):
    parts = built([*SHORT, "trainer.max_epochs=3", "optimizer=momentum", f"schedule={schedule}"], tmp_path)
    for group, factor in zip(parts.classifier.groups, (1, 0.1), strict=True):
        group["lr"] *= factor
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    rates = [(float(row["lr/decay"]), float(row["lr/no_decay"])) for row in rows if row["lr/decay"]]
    assert len(rates) == parts.trainer.global_step == 9
    assert [small / large for large, small in rates] == pytest.approx([0.1] * 9, rel=1e-12)
    assert schedule == "plateau" or len(set(rates)) > 5


def layered(params, *, lr, weight_decay, layer_decay):
    """An optimizer as timm's own training script makes it."""
    from timm.optim import create_optimizer_v2

    return create_optimizer_v2(params, "sgd", lr=lr, weight_decay=weight_decay, layer_decay=layer_decay)


def test_layer_decay_has_no_effect_on_parameter_groups_in_timm():
    # Why optimizer.layer_decay is refused.
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    groups = [{"params": list(layer.parameters())} for layer in net]
    optimizer = layered(groups, lr=1.0, weight_decay=0.0, layer_decay=0.5)
    assert [(group["lr"], group.get("lr_scale")) for group in optimizer.param_groups] == [(1.0, None)] * 2


def test_no_parameter_group_has_a_scale_that_nothing_reads(tmp_path):
    for place, optimizer in enumerate(("adamw", "lars", "muon")):
        groups = built([*SHORT, f"optimizer={optimizer}"], tmp_path / str(place)).classifier.groups
        assert all("lr" in group and "lr_scale" not in group for group in groups)


def test_accuracy_uses_hard_labels_and_is_1_for_perfect_predictions(tmp_path):
    data = built([*SHORT, "augment=[mixup,cutmix]"], tmp_path).data
    (batch, *_) = data.eval_loader("val", rank=0, ranks=1)
    inputs = data.prepare_batch(batch, train=False, rank=0)
    assert inputs.targets.dtype == torch.int64
    perfect = 20.0 * torch.nn.functional.one_hot(inputs.targets, 10)
    metrics = split_metrics(perfect, inputs.targets, torch.nn.functional.cross_entropy)
    assert {float(metrics[name]) for name in ("accuracy", "accuracy_macro", "f1_macro")} == {1.0}
    (mixed, *_) = data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    assert data.prepare_batch(mixed, train=True, rank=0).targets.is_floating_point()


def test_accuracy_is_micro_and_the_macro_average_says_so_in_its_name():
    labels = torch.tensor([0] * 9 + [1])
    always_first = torch.tensor([[1.0, 0.0]]).expand(10, 2)
    metrics = split_metrics(always_first, labels, torch.nn.functional.cross_entropy)
    assert float(metrics["accuracy"]) == pytest.approx(0.9)
    assert float(metrics["accuracy_macro"]) == pytest.approx(0.5)


@pytest.mark.parametrize(("algorithm", "order"), [("norm", 2), ("value", float("inf"))])
def test_clipping_limits_the_gradient_of_all_accumulated_batches_together(algorithm, order, tmp_path):
    # 3 batches in one step of rate 1: what the weights move by is the clipped gradient.
    words = [f"trainer.gradient_clip_algorithm={algorithm}", "trainer.gradient_clip_val=0.001"]
    parts = built([*SHORT, *PLAIN, *words, "trainer.accumulate_grad_batches=3"], tmp_path)
    before = torch.cat([p.detach().flatten().clone() for p in parts.classifier.net.parameters()])
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.trainer.global_step == 1
    after = torch.cat([p.detach().flatten() for p in parts.classifier.net.parameters()])
    assert (after - before).double().norm(order).item() == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    ("file", "test"),
    [
        ("test_classifier.py", "test_accumulated_batches_step_as_one_batch_even_in_the_short_last_window"),
        ("test_classifier.py", "test_metrics_of_mixed_batches_use_hard_labels"),
        ("trick/test_batch_growth.py", "test_the_schedule_ends_with_the_run"),
        (
            "trick/test_batch_growth.py",
            "test_a_grown_step_equals_that_of_one_large_batch_and_so_does_the_short_last_one",
        ),
        ("trick/test_ema.py", "test_after_n_steps_it_is_the_weighted_sum_of_all_weights"),
    ],
)
def test_the_other_combinations_are_shown_where_they_belong(file, test):
    names = [
        node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    assert test in names
