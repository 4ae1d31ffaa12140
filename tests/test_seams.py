"""A class from outside the package meets the rules of the built-in ones by what it says of itself."""

import json

import pytest
import torch

from imagelab.classifier import Classifier
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.sweep import table  # room: sweep
from tests import stranger
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab
from tests.sweep.made import sweep  # room: sweep

HERE = "tests.stranger"
BLEND = f"++augment.blend._target_={HERE}.Blend"
LATEST = f"++trick.latest._target_={HERE}.Latest"
PAIRS = [f"task._target_={HERE}.Pairs"]
SEARCH = ["optimizer=sgd", f"optimizer._target_={HERE}.Search"]
LBFGS = ["optimizer=lbfgs", f"optimizer._target_={HERE}.MyLBFGS"]
FULL = [*LBFGS, "data.batch_size=full"]
SIGNS = ["optimizer=sgd", f"optimizer._target_={HERE}.Signs", "optimizer.lr=0.001"]
WATCH = f"++trick.watch._target_={HERE}.Watch"


def refusals(*words: str) -> list[str]:
    """What the quick check says, which imports nothing that the config names."""
    composed = compose("train", ["trainer=cpu", *words])
    assert composed.cfg is not None, composed.problems
    return validate.quick_problems(plain(composed.cfg))


RULES = {
    (BLEND, "data.batch_size=1"): "data.batch_size: blend blends the images of a batch",
    (BLEND, "task=autoencoder"): "augment: blend blends images and their labels, and task=autoencoder",
    (LATEST, "trick=[ema]"): "trick: ema and latest both average the weights",
    (LATEST, "monitor=train/loss"): "monitor: train/loss exists only for the raw weights, and latest",
    (*PAIRS,): "augment: task=Pairs compares 2 augmented views of each image",
    (
        *PAIRS,
        "augment=[crop]",
        "data.batch_size=1",
    ): "data.batch_size: task=Pairs compares the images of a batch",
    (*PAIRS, "augment=[crop,mixup]"): "augment: mixup blends images and their labels, and task=Pairs",
    (*PAIRS, "augment=[crop]", "loss.label_smoothing=0.1"): "loss: task=Pairs has its own loss",
    (*PAIRS, "augment=[crop]", "finetune=full", "model.weights=x"): "finetune: task=Pairs replaces the head",
    (*PAIRS, "augment=[crop]", "trick=[head_bias]"): "trick.head_bias: needs a task that predicts classes",
    (*PAIRS, "augment=[crop]", "monitor=val/accuracy"): "monitor: there is no metric 'val/accuracy'",
    (
        *PAIRS,
        "augment=[crop]",
        "trick=[gradient_noise_scale]",
    ): "trick.gradient_noise_scale: needs a loss that is a mean",
    (*SEARCH,): "data.batch_size: Search compares losses",
    (*LBFGS,): "data.batch_size: MyLBFGS compares losses",
    (
        *FULL,
        "trainer.accumulate_grad_batches=2",
    ): "trainer.accumulate_grad_batches: MyLBFGS evaluates the loss",
    (*FULL, "trainer.precision=16-mixed"): "trainer.precision: MyLBFGS ",
    (*FULL, "trainer.gradient_clip_val=1.0"): "trainer.gradient_clip_val: MyLBFGS ",
    (*FULL, "model.channels_last=true"): "model.channels_last: MyLBFGS ",
    (*FULL, "trainer.strategy=fsdp"): "trainer.strategy: MyLBFGS needs all weights",
    (*FULL, "finetune=full", "model.weights=x"): "finetune: MyLBFGS has one rate for all weights",
    (*FULL, "trick=[agc]"): "trick.agc: the line search of MyLBFGS needs unclipped gradients",
    (*FULL, f"++trick.grow._target_={HERE}.Grow"): "trick.grow: MyLBFGS evaluates the loss",
    (*FULL, "trick=[gradient_noise_scale]"): "trick.gradient_noise_scale: MyLBFGS uses all images",
    ("optimizer=lamb", f"optimizer._target_={HERE}.MyLamb", "optimizer.decay_norm_bias=true"): (
        "optimizer.decay_norm_bias: MyLamb "
    ),
    (
        f"++trick.clip._target_={HERE}.Clip",
        "trainer.gradient_clip_val=1.0",
    ): "trick.clip: trainer.gradient_cl",
    (f"++trick.grow._target_={HERE}.Grow", "data.batch_size=full"): "trick.grow: data.batch_size=full ",
    (WATCH, "task=autoencoder"): "trick.watch: needs a task that predicts classes, and task=autoencoder",
    (WATCH, "data.batch_size=1"): "trick.watch: compares halves of a batch",
    (WATCH, "trainer.strategy=fsdp"): "trick.watch: reads whole layers, which fsdp shards",
    (
        f"++trick.harvest._target_={HERE}.Harvest",
        "schedule=cosine",
    ): "trick.harvest: needs a schedule with cycles",
    (
        "trick=[snapshots]",
        "schedule=linear",
        f"schedule._target_={HERE}.Ramp",
    ): "trick.snapshots: needs a sch",
    (f"++trick.x._target_={HERE}.MyStopping", "++trick.x.monitor=val/loss"): (
        f"trick.x: {HERE}.MyStopping does not work here: "
    ),
    (
        f"++trick.x._target_={HERE}.Misspelt",
    ): "trick.x._target_: Misspelt.averages_weights wants text, got true",
}
FINE = [
    [BLEND],
    [LATEST],
    [LATEST, "trick=[early_stopping]", "trick.early_stopping.monitor=val_latest/loss"],
    [*PAIRS, "augment=[crop]", "trick=[ema,l1]"],
    FULL,
    ["trick=[snapshots]", "schedule=linear", f"schedule._target_={HERE}.Waves"],
    ["finetune=scratch", f"finetune._target_={HERE}.Fresh"],
    [WATCH],
    SIGNS,
    ["finetune=top_half", f"finetune._target_={HERE}.LastTwo", "model.weights=x"],
]


@pytest.mark.parametrize("words", RULES, ids=" ".join)
def test_new_classes_are_refused_in_the_same_words_as_built_in_ones(words):
    (sentence,) = refusals(*words)
    assert sentence.startswith(RULES[words])


@pytest.mark.parametrize("words", FINE, ids=" ".join)
def test_valid_combinations_are_accepted(words):
    assert refusals(*words) == []


def test_the_command_refuses_with_the_sentence_and_leaves_nothing_behind(tmp_path):
    said = imagelab("train", *LBFGS, folder=tmp_path)
    assert said.status == 2
    assert "data.batch_size: MyLBFGS compares losses" in said.err + said.out
    assert not [*tmp_path.rglob("*.ckpt")]


def test_a_run_of_strangers_mixes_grows_averages_and_keeps_the_ends_of_cycles(tmp_path):
    words = [BLEND, LATEST, f"++trick.grow._target_={HERE}.Grow", "trick=[snapshots]", "trainer.max_epochs=2"]
    words += ["schedule=linear", f"schedule._target_={HERE}.Waves", "monitor=val/loss", *SIGNS]
    words += [f"++logger.lines._target_={HERE}.Lines", "logger=[csv]"]
    parts = fitted([*SHORT, *words], tmp_path)
    assert [type(one) for one in parts.data.mixing] == [stranger.Blend]
    assert parts.classifier.step_plan.windows == [1, 2]
    assert [*torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["averages"]] == ["latest"]
    assert [*(tmp_path / "checkpoints").glob("snapshot_*.ckpt")]
    metrics = (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/accuracy", "val_latest/accuracy"} <= {*metrics}
    assert {*metrics} <= {*(tmp_path / "lines" / "metrics.csv").read_text().splitlines()[0].split(",")}
    (optimizer,) = parts.trainer.optimizers
    assert type(optimizer) is stranger.Signs


def test_a_task_without_labels_trains_and_is_monitored_by_its_loss(tmp_path):
    run = tmp_path / "run"
    said = imagelab("train", *SHORT, *PAIRS, "augment=[crop]", f"hydra.run.dir={run}", folder=tmp_path)
    assert said.status == 0, said
    results = json.loads((run / "results.json").read_text())
    assert (results["task"], results["best"]["monitor"]) == ("Pairs", "val/loss")


def test_a_strategy_that_starts_from_scratch_trains_a_plain_classifier(tmp_path):
    words = [*SHORT, "finetune=scratch", f"finetune._target_={HERE}.Fresh"]
    assert type(built(words, tmp_path).classifier) is Classifier


def test_a_search_gives_each_trial_its_values(tmp_path):  # room: sweep
    words = ["-m", "sweep=random", f"sweep._target_={HERE}.Halves", "sweep.trials=3", "sweep.space=null"]
    words += ["model.dropout=interval(0.0,0.8)", "hydra.sweep.dir=here"]
    said = sweep(lambda cfg: cfg["model"]["dropout"], *words, folder=tmp_path)
    assert said.status == 0, said
    rows, _ = table.read(tmp_path / "here")
    assert [row.overrides["model.dropout"] for row in rows] == ["0.4", "0.2", "0.1"]
    assert [row.value for row in rows] == [0.4, 0.2, 0.1]
