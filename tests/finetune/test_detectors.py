# room: detection
"""Strategies below a detector: its backbone is fine-tuned by stages; pyramid and heads are the head."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.data.preprocess import Preprocess
from imagelab.finetune.moves import draw_ends
from tests.fitting import built
from tests.model.test_detector_weights import DETNET, PAIRS, save, trained
from tests.runs_of_the_command import assert_same
from tests.test_transfer import Watch, still_until_they_start
from tests.test_transfer_resume import Copies, copy
from tests.trick.averaging import average_of, last

BRIEF = ["task=detect", "trainer=cpu", "logger=[]", "data.count=8", "data.batch_size=4", "model.width=32"]
BRIEF += [*DETNET, "model.levels=[3,4]"]
STAGES = ["stem", "layer1", "layer2", "layer3", "head"]
SEEN = Preprocess(size=28, channels=1, mean=[0.25], std=[0.5], resize=28, interpolation="bilinear")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """The word for a classifier to start from."""
    words = PAIRS["detnet"][0]
    file = tmp_path_factory.mktemp("trained") / "best.ckpt"
    return save(trained(*words), file, words, preprocess=SEEN.to_dict())


def fit(words: list[str], folder: Path, *callbacks: Any, checkpoint: Path | None = None) -> Any:
    parts = built([*BRIEF, *words], folder)
    parts.trainer.callbacks.extend(callbacks)  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=checkpoint)
    return parts


@pytest.mark.parametrize("model", ["fcos", "retinanet", "faster_rcnn"])
def test_frozen_stages_keep_weights_statistics_and_all_their_channels(model, weights, tmp_path):
    words = [f"model={model}", "finetune=gradual", "finetune.every=1", "trainer.max_epochs=3", weights]
    watch = Watch()
    parts = fit([*words, "model.dropout2d=0.3", "trick=[ema]", "optimizer.weight_decay=0.1"], tmp_path, watch)
    assert [move.stage.name for move in parts.classifier.moves] == STAGES
    assert [move.start for move in parts.classifier.moves] == [None, None, 2, 1, 0]
    still_until_they_start(parts, watch)
    averaged, stem = average_of(parts).weights, "pyramid.body.conv1.weight"
    assert torch.equal(averaged[stem], watch.epochs[0][stem])
    body = parts.classifier.train().net.get_submodule("pyramid.body")
    maps = torch.rand(1, 8, 16, 16)
    assert torch.equal(body.layer1(maps), body.layer1(maps))  # frozen: no channel is dropped
    assert not torch.equal(body.layer3(maps.repeat(1, 8, 1, 1)), body.layer3(maps.repeat(1, 8, 1, 1)))


STARTS = {
    "linear_probe": [None, None, None, None, 0],
    "top_half": [None, None, 1, 1, 0],
    "two_phase": [1, 1, 1, 1, 0],
    "ends": [0, 1, 1, 1, 0],
    "discriminative": [0] * 5,
    "full": [0] * 5,
}
RATES = {"discriminative": [0.5**distance for distance in (4, 3, 2, 1, 0)], "full": [0.1] * 5}


@pytest.mark.parametrize("strategy", STARTS)
def test_stages_of_the_backbone_start_and_learn_as_those_of_a_classifier(strategy, weights, tmp_path):
    more = ["finetune.head_epochs=1"] if strategy in ("top_half", "two_phase", "ends") else []
    more += ["finetune.decay=0.5"] if strategy == "discriminative" else []
    more += ["finetune.scale=0.1"] if strategy == "full" else []
    words = [*BRIEF, weights, f"finetune={strategy}", "trainer.max_epochs=2", "optimizer.lr=0.01", *more]
    module: Any = built(words, tmp_path).classifier
    assert [move.stage.name for move in module.moves] == STAGES
    assert [move.start for move in module.moves] == STARTS[strategy]
    if strategy in RATES:
        rates = {group["stage"]: group["lr"] for group in module.groups}
        assert [rates[place] / 0.01 for place in range(5)] == pytest.approx(RATES[strategy])
    head = set(module.moves[-1].stage.parameters)
    assert head == {name for name, _ in module.net.named_parameters() if not name.startswith("pyramid.body.")}


def test_a_linear_probe_trains_pyramid_and_heads_alone(weights, tmp_path):
    watch = Watch()
    parts = fit([weights, "finetune=linear_probe", "trainer.max_epochs=1"], tmp_path, watch)
    first, final = watch.epochs
    kept = {name for name in first if torch.equal(first[name], final[name])}
    assert kept == {name for name in first if name.startswith("pyramid.body.")}
    assert parts.classifier.head_layers == []


def test_low_rank_changes_are_those_of_the_backbone_and_the_head_trains_whole(weights, tmp_path):
    watch = Watch()
    fit([weights, "finetune=lora", "finetune.rank=2", "trainer.max_epochs=1"], tmp_path, watch)
    first, final = watch.epochs
    changes = {name: (final[name] - first[name]).flatten(1) for name in first if first[name].ndim > 1}
    ranks = {name: int(torch.linalg.matrix_rank(change, atol=1e-5)) for name, change in changes.items()}
    assert {rank for name, rank in ranks.items() if name.startswith("pyramid.body.layer3")} == {2}
    assert max(rank for name, rank in ranks.items() if name.startswith("pyramid.body.")) == 2
    assert max(rank for name, rank in ranks.items() if name.startswith("finder.")) > 2


def test_a_run_stopped_while_stages_are_unfrozen_ends_like_an_uninterrupted_one(weights, tmp_path):
    words = ["model=faster_rcnn", "model.hidden=32", weights, "finetune=two_phase", "finetune.head_epochs=1"]
    words += ["trainer.max_epochs=2", "model.dropout2d=0.2", "finetune.rewarm=2", "schedule.warmup=1"]
    steps = [1, 3]  # of 4: while the backbone is frozen, and within its warm-up
    fit(words, tmp_path / "whole", Copies(steps))
    for step in steps:
        fit(words, tmp_path / f"again{step}", checkpoint=copy(tmp_path / "whole", step))
        assert_same(last(tmp_path / "whole"), last(tmp_path / f"again{step}"), f"after step {step}")


def test_frozen_norms_are_those_of_the_backbone_and_new_ones_measure(weights, tmp_path):
    words = [weights, "model.norm=batch", "finetune=full", "finetune.norm=frozen", "trainer.max_epochs=1"]
    watch = Watch()
    net = fit(words, tmp_path, watch).classifier.net
    norms = [name for name, layer in net.named_modules() if isinstance(layer, _BatchNorm)]
    first, final = watch.epochs
    still = {name for name in norms if torch.equal(*(at[f"{name}.running_mean"] for at in (first, final)))}
    assert still == {name for name in norms if name.startswith("pyramid.body.")}
    assert len(norms) > len(still) > 0


def test_new_ends_are_a_new_first_layer_since_the_heads_are_new(weights):
    net = trained("task=detect", *DETNET, "model.levels=[3,4]")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    draw_ends(net)
    changed = [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["pyramid.body.conv1.weight"]


def test_images_are_normalised_as_the_classifier_saw_them_at_the_size_of_these_images(weights, tmp_path):
    preprocess = built([*BRIEF, weights], tmp_path).data.preprocess
    assert (preprocess.mean, preprocess.std) == (SEEN.mean, SEEN.std)
    assert (preprocess.size, preprocess.whole) == (64, True)
