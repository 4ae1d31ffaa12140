"""A linear probe on features made once: the same run, many times as fast."""

import time
from typing import Any

import lightning
import pytest
import torch

import imagelab
from imagelab.build import Parts
from imagelab.checkpoints.content import card
from imagelab.checkpoints.durable import BEST, LAST, read
from imagelab.contracts import Inputs
from imagelab.finetune.features import FeatureCache
from imagelab.training.stop import Stopped
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab as typed
from tests.in_process import trained
from tests.runs_of_the_command import finish, outcome

PROBE = [*SHORT, "finetune=linear_probe", "trainer.max_epochs=2", "optimizer.lr=0.1"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """Of a network that has seen a few digits."""
    folder = tmp_path_factory.mktemp("before")
    fitted([*SHORT, "trainer.max_epochs=2"], folder)
    return f"model.weights={folder / 'checkpoints' / BEST}"


def callbacks(parts: Parts) -> list[Any]:
    return parts.trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]


def probed(words, folder, cached: bool) -> tuple[Parts, list[torch.Size]]:
    """A fitted run, with features made once or in every epoch, and the shapes of what its steps saw."""
    parts, shapes = built([*PROBE, *words], folder), []
    cache = callbacks(parts)[0]
    assert isinstance(cache, FeatureCache)
    cache.layers = cache.layers if cached else []

    class Shapes(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch: Inputs, batch_idx):
            shapes.append(batch.images.shape)

    callbacks(parts).append(Shapes())
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, shapes


def assert_same_run(one: Parts, other: Parts) -> None:
    for name, value in one.classifier.state_dict().items():
        torch.testing.assert_close(other.classifier.state_dict()[name], value, rtol=1e-5, atol=1e-6, msg=name)
    assert len(one.trainer.callback_metrics) >= 6
    for name, metric in one.trainer.callback_metrics.items():
        torch.testing.assert_close(
            other.trainer.callback_metrics[name], metric, rtol=1e-5, atol=1e-6, msg=name
        )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["model.dropout=0.3", "trick=[ema,l2]", "data.balance=true", "trainer.accumulate_grad_batches=2"],
        ["trainer.precision=bf16-mixed", "model.channels_last=true"],
        ["trainer.precision=64-true", "optimizer=nesterov"],
    ],
)
def test_the_head_learns_the_same_from_precomputed_features(words, weights, tmp_path):
    once, shapes = probed([weights, *words], tmp_path / "once", cached=True)
    ever, images = probed([weights, *words], tmp_path / "ever", cached=False)
    assert {shape[1:] for shape in shapes} == {(64,)}
    assert {shape[1:] for shape in images} == {(1, 8, 8)}
    assert_same_run(once, ever)
    start, now = imagelab.load(weights.partition("=")[2]).net.state_dict(), once.classifier.net.state_dict()
    moved = {name for name, old in start.items() if old.is_floating_point() and (now[name] != old).any()}
    assert moved == {"head.weight", "head.bias"}


def test_as_many_views_as_epochs_equal_a_run_with_random_augmentation(weights, tmp_path):
    words = [weights, "augment=[translate,cutout]"]
    ever, images = probed(words, tmp_path / "ever", cached=True)
    once, shapes = probed([*words, "finetune.views=2"], tmp_path / "once", cached=True)
    assert {shape[1:] for shape in images} == {(1, 8, 8)}  # augmentation is random: nothing to keep
    assert {shape[1:] for shape in shapes} == {(64,)}
    assert_same_run(once, ever)


def test_epochs_cycle_through_the_views(weights, tmp_path):
    words = [weights, "augment=[translate]", "finetune.views=2", "optimizer.lr=1e-12", "trainer.max_epochs=4"]
    losses = [record["train/loss"] for record in probed(words, tmp_path, cached=True)[0].classifier.history]
    assert losses[0] != pytest.approx(losses[1], abs=1e-4)
    plain = probed([*words, "finetune.views=1"], tmp_path / "plain", cached=True)[0].classifier.history
    assert plain[0]["train/loss"] != pytest.approx(losses[0], abs=1e-4)
    words += ["data.batch_size=full"]  # no image is left out, so that only the view matters
    losses = [record["train/loss"] for record in probed(words, tmp_path, cached=True)[0].classifier.history]
    assert losses[2:] == pytest.approx(losses[:2], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "the head trains on features of plain images, computed once."),
        (["augment=[flip]"], "runs in every epoch: augmentation is random; finetune.views=1"),
        (
            ["augment=[flip]", "finetune.views=1"],
            "features of plain images, computed once; augment is not used.",
        ),
        (
            ["augment=[flip]", "finetune.views=3"],
            "features of 3 fixed views of each training image, computed once",
        ),
        (["augment=[mixup]"], "runs in every epoch: augment: mixup blends different images each time"),
        (["augment=[mixup]", "finetune.views=3"], "runs in every epoch: augment: mixup blends"),
        (["trick=[dropconnect]"], "runs in every epoch: trick.dropconnect needs the whole network"),
        (["trick=[swa]"], "runs in every epoch: trick.swa needs the whole network"),
        (["++trick.x._target_=tests.stranger.Sees"], "runs in every epoch: trick.sees needs the whole"),
    ],
)
def test_it_explains_what_it_does(words, why, weights, tmp_path, capsys):
    parts = built([*PROBE, weights, *words], tmp_path)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert why in capsys.readouterr().out


def test_features_that_do_not_fit_in_memory_are_computed_in_every_epoch(weights, tmp_path, monkeypatch):
    counts = built(SHORT, tmp_path).data.counts
    exact = (counts["train"] + counts["val"]) * 64 * 4
    monkeypatch.setattr("imagelab.finetune.feature_plan.ROOM", exact)
    assert callbacks(built([*PROBE, weights], tmp_path))[0].layers == ["head"]
    words = [*PROBE, weights, "augment=[flip]", "finetune.views=2"]
    cache = callbacks(built(words, tmp_path))[0]
    assert cache.layers == []
    assert "of memory, and the limit is" in cache.why


def test_data_and_network_are_restored_afterwards(weights, tmp_path):
    run = trained(*PROBE, weights, folder=tmp_path)
    results = outcome(run)["results"]
    assert typed("evaluate", f"run={run}", "split=test", folder=tmp_path).status == 0
    predictor = imagelab.load(run)
    assert (
        predictor.net.state_dict().keys() == imagelab.load(weights.partition("=")[2]).net.state_dict().keys()
    )
    assert results["test"]["accuracy"] > 0.4
    size = (run / "checkpoints" / "best.ckpt").stat().st_size
    assert size < 1.5 * (tmp_path / weights.partition("=")[2]).stat().st_size


class Kill(lightning.Callback):
    """Asks a run to stop in the middle of its second epoch."""

    def __init__(self, parts: Parts):
        self.stop = parts.saver.stop

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.stop.signum = int(trainer.current_epoch == 1 and batch_idx == 1)


def test_a_resumed_run_computes_the_same_features_again(weights, tmp_path):
    words = [*PROBE, weights, "data.batch_size=32", "augment=[translate]", "finetune.views=3", "trick=[ema]"]
    words += ["model.dropout=0.2", "trainer.max_epochs=4"]
    whole, parts = fitted(words, tmp_path / "whole"), built(words, tmp_path / "killed")
    callbacks(parts).insert(0, Kill(parts))
    with pytest.raises(Stopped):
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    last = tmp_path / "killed" / "checkpoints" / LAST
    assert read(last)["global_step"] == whole.trainer.global_step // 4 + 2
    again = built(words, tmp_path / "killed", known=card(last))
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=str(last))
    for name, value in whole.classifier.state_dict().items():
        assert torch.equal(again.classifier.state_dict()[name], value), name
    assert again.saver.best == whole.saver.best


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(weights, tmp_path):
    words = [*PROBE[1:], weights, "trainer.precision=64-true", "augment=[flip]", "finetune.views=2"]
    finish([*words, "trainer=ddp_cpu", "data.batch_size=32", f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    both, one = outcome(tmp_path / "two"), outcome(trained(*words, folder=tmp_path))
    for name, value in one["weights"].items():
        torch.testing.assert_close(both["weights"][name], value, rtol=1e-6, atol=1e-8, msg=name)
    assert both["results"]["test"] == pytest.approx(one["results"]["test"], abs=1e-6)
    assert "features of 2 fixed views" in (tmp_path / "two" / "console.log").read_text()


class Clock(lightning.Callback):
    """The fastest epoch, validation included, in CPU seconds."""

    def __init__(self):
        self.began, self.best = 0.0, float("inf")

    def on_train_epoch_start(self, trainer, module):
        self.began = time.process_time()

    def on_train_epoch_end(self, trainer, module):
        self.best = min(self.best, time.process_time() - self.began)


def test_an_epoch_takes_a_twentieth_of_the_time(tmp_path):
    words = [*PROBE, "model=torchvision", "model.name=resnet18", "data.size=64", "data.limit=160"]
    words += ["data.batch_size=64"]
    seconds = []
    for cached in (True, False):
        parts, clock = built(words, tmp_path, checked=False), Clock()
        callbacks(parts)[0].layers = ["fc"] if cached else []
        callbacks(parts).append(clock)
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
        seconds.append(clock.best)
    assert seconds[1] / seconds[0] >= 20, seconds
