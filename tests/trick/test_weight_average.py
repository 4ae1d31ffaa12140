"""Averaging leaves the training as it is, is exact after a resume, and gives the better set of weights."""

import csv
import json
import math

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import nn

import imagelab
from imagelab.checkpoints.durable import read
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.model.weights import net_weights
from tests import in_process
from tests.fitting import built, fitted
from tests.runs_of_the_command import assert_same
from tests.trick.averaging import SMALL, average_of, last, recorded, resumed

TRICKS = {"ema": ["trick=[ema]"], "swa": ["trick=[swa]", "trick.swa.start=0.4", "schedule=constant"]}


@pytest.mark.parametrize("name", TRICKS)
def test_the_raw_weights_are_bit_identical_to_those_of_a_run_without_it(name, tmp_path):
    words = ["trainer.max_epochs=3", "schedule=constant"]
    without = recorded(words, tmp_path / "without")[1]
    beside = recorded([*words, *TRICKS[name]], tmp_path / "beside")[1]
    assert len(without) == 12
    assert_same(dict(enumerate(without)), dict(enumerate(beside)))


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("step", [5, 7])
def test_a_run_resumed_within_an_epoch_ends_like_an_uninterrupted_one(name, step, tmp_path):
    # 4 batches an epoch in windows of 2: step 5 is inside the third epoch, step 7 inside the fourth.
    words = ["trainer.max_epochs=5", "trainer.accumulate_grad_batches=2", *TRICKS[name]]
    whole, steps = recorded(words, tmp_path / "whole", copy_at=step)
    assert len(steps) == 10
    again = resumed(words, tmp_path / "again", tmp_path / "whole" / "copy.ckpt")
    assert_same(last(tmp_path / "whole"), last(tmp_path / "again"))
    assert average_of(again).updates == average_of(whole).updates
    assert again.saver.best["values"] == whole.saver.best["values"]


def test_before_the_first_update_no_average_is_evaluated_or_saved(tmp_path, monkeypatch):
    parts = built([*SMALL, "trick=[ema]", "trainer.max_epochs=1", "trainer.num_sanity_val_steps=1"], tmp_path)
    seen, average = [], average_of(parts)
    monkeypatch.setattr(average, "on_sanity_check_end", lambda _, module: seen.append(dict(module.averages)))
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert seen == [{}]
    assert list(parts.classifier.averages) == ["ema"]
    trained = {key: value for key, value in average.weights.items() if key.endswith("weight")}
    start = built([*SMALL, "trick=[ema]"], tmp_path / "start").classifier.net.state_dict()
    assert all(not torch.equal(value, start[key]) for key, value in trained.items())


def test_a_non_finite_average_is_never_evaluated_or_chosen(tmp_path, monkeypatch):
    parts = built([*SMALL, "trick=[ema]", "trainer.max_epochs=2"], tmp_path)
    average = average_of(parts)
    spoil = lambda *_: average.averaged[0].fill_(math.nan)  # noqa: E731
    monkeypatch.setattr(average, "on_train_epoch_start", spoil)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.saver.best["values"].keys() == {"raw"}
    assert parts.saver.weights == "raw"


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed", "64-true"])
def test_the_average_is_kept_in_float32_or_wider_in_any_training_precision(precision, tmp_path):
    parts = fitted(
        [*SMALL, "trick=[ema]", "trainer.max_epochs=1", f"trainer.precision={precision}"], tmp_path
    )
    kept = {value.dtype for value in average_of(parts).weights.values() if value.is_floating_point()}
    assert kept == {torch.float64 if precision == "64-true" else torch.float32}
    assert math.isfinite(parts.trainer.callback_metrics["val_ema/loss"])


@pytest.mark.parametrize("name", TRICKS)
def test_several_processes_share_the_saved_buffers_of_the_first_and_no_others(name, monkeypatch, tmp_path):
    average, module, sent = average_of(built([*SMALL, *TRICKS[name]], tmp_path)), LightningModule(), []
    module.net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    module.net.register_buffer("index", torch.arange(4), persistent=False)  # as Swin's relative positions
    trainer = Trainer(logger=False, accelerator="cpu", barebones=True)
    average.setup(trainer, module, "fit")
    average.on_fit_start(trainer, module)
    average.on_train_start(trainer, module)
    average.update()
    monkeypatch.setattr(Trainer, "world_size", 2)
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, src: sent.append((tensor, src)))
    average.on_validation_start(trainer, module)
    kept = [average.weights[f"1.{name}"] for name in ("running_mean", "running_var", "num_batches_tracked")]
    assert [(id(tensor), src) for tensor, src in sent] == [(id(tensor), 0) for tensor in kept]
    assert torch.equal(average.net.index, torch.arange(4))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    # A rate so high that the raw weights jump about; the average does not.
    return in_process.trained(
        *["trick=[ema]", "optimizer.lr=0.05", "schedule=constant"],
        *["trainer.max_epochs=6", "data.limit=800", "seed=2"],
        folder=tmp_path_factory.mktemp("averaged"),
    )


def rows(run):
    return list(csv.DictReader((run / "metrics.csv").open()))


def test_both_sets_of_weights_are_tested_and_the_better_one_is_the_result(run):
    results, table = json.loads((run / "results.json").read_text()), rows(run)
    assert results["weights"] == "ema"
    sets = results["by_weights"]
    best = next(row for row in table if row["epoch"] == str(results["best"]["epoch"]) and row["val/loss"])
    for name, prefix in {"raw": "val", "ema": "val_ema"}.items():
        assert sets[name]["val"] == {key: float(best[f"{prefix}/{key}"]) for key in sets[name]["val"]}
    assert results["val"] == sets["ema"]["val"] != sets["raw"]["val"]
    assert results["test"] == sets["ema"]["test"] != sets["raw"]["test"]
    assert results["best"]["value"] == sets["ema"]["val"]["accuracy"] > sets["raw"]["val"]["accuracy"]
    assert float(table[-1]["test_ema/accuracy"]) == sets["ema"]["test"]["accuracy"]
    values = [f"{name} {sets[name]['val']['accuracy']:.4f}" for name in ("raw", "ema")]
    assert f"weights     ema (val/accuracy: {', '.join(values)})" in (run / "console.log").read_text()


def test_evaluate_load_and_model_weights_use_the_better_weights(run):
    results = json.loads((run / "results.json").read_text())
    for words, name in {("split=val",): "ema", ("split=val", "weights=raw"): "raw"}.items():
        assert in_process.imagelab("evaluate", f"run={run}", *words, folder=run.parent).status == 0
        found = json.loads((run / "evaluation.json").read_text())
        assert found["metrics"] == results["by_weights"][name]["val"]
        assert found["weights"] == name
    said = in_process.imagelab("evaluate", f"run={run}", "weights=swa", folder=run.parent)
    assert (said.status, said.err.strip()) == (2, "weights=swa: the checkpoint has raw and ema weights")
    best = run / "checkpoints" / "best.ckpt"
    average = torch.load(best, weights_only=True)["averages"]["ema"]
    assert_same(dict(imagelab.load(run).net.state_dict()), average)
    started = net_weights(read(best), best)
    assert_same(started, {name: average[name] for name in started})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trick=[ema,swa]"], "trick: ema and swa both average the weights"),
        (["trick=[ema]", "monitor=train/loss"], "monitor: train/loss exists only for the raw weights"),
        (["monitor=val_ema/loss", "trick=[ema]"], "monitor: there is no metric 'val_ema/loss'"),
        (
            ["trick=[early_stopping]", "trick.early_stopping.monitor=val_ema/loss"],
            "trick.early_stopping.monitor: there is no metric 'val_ema/loss'",
        ),
        (
            [
                "trick=[early_stopping,ema]",
                "trick.early_stopping.monitor=val_ema/accuracy",
                "trick.early_stopping.mode=min",
            ],
            "trick.early_stopping.mode: wants max for val_ema/accuracy",
        ),
    ],
)
def test_what_cannot_work_is_refused(words, sentence):
    found = validate.problems(plain(compose("train", words).cfg))
    assert len(found) == 1
    assert found[0].startswith(sentence)


def test_early_stopping_can_monitor_the_average(tmp_path):
    words = ["trick=[ema,early_stopping]", "trick.early_stopping.monitor=val_ema/loss", "optimizer.lr=1e-9"]
    words += ["trick.early_stopping.patience=1", "trick.early_stopping.min_delta=1", "trainer.max_epochs=9"]
    assert fitted([*SMALL, *words], tmp_path).trainer.current_epoch == 2
