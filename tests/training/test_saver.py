"""When checkpoints are written, and which epoch is the best."""

import math
import os
from types import SimpleNamespace

import pytest

from imagelab.training.saver import Saver, StopTest
from imagelab.training.stop import Stopped, StopRequest
from tests.fitting import built, fitted


def best_epoch(tmp_path, monitor, values):
    saver = Saver(
        folder=tmp_path, monitor=monitor, lower=monitor != "val/accuracy", every=60, top=1, stop=StopRequest()
    )
    for epoch, value in enumerate(values):
        module = SimpleNamespace(seen={}, averages={})
        metrics = {monitor: value}
        saver._update_best(
            SimpleNamespace(callback_metrics=metrics, current_epoch=epoch, lightning_module=module)
        )
    return saver.best["epoch"]


def test_the_best_epoch_is_the_last_of_equals_and_never_one_with_a_non_finite_metric(tmp_path):
    assert best_epoch(tmp_path, "val/accuracy", [0.5, 0.9, 0.9, 0.8]) == 2
    assert best_epoch(tmp_path, "val/loss", [0.5, 0.2, 0.2, 0.3]) == 2
    assert best_epoch(tmp_path, "val/loss", [math.nan, 1.0, 0.5]) == 2
    assert best_epoch(tmp_path, "val/loss", [1.0, math.nan]) == 0


def test_a_run_killed_after_its_test_writes_the_test_row_once(tmp_path):
    words = ["trainer=cpu", "trainer.max_epochs=2", "data.limit=200"]
    fitted(words, tmp_path)
    whole = (tmp_path / "metrics.csv").read_bytes()
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("1,4,,,,,,,\n")
    again = built(words, tmp_path)
    again.trainer.fit(
        again.classifier, datamodule=again.data, ckpt_path=tmp_path / "checkpoints" / "last.ckpt"
    )
    assert (tmp_path / "metrics.csv").read_bytes() == whole


def test_rows_are_on_disk_before_the_checkpoint_that_counts_them_and_weights_without_a_number_are_not(
    tmp_path, monkeypatch
):
    parts = fitted(["trainer=cpu", "trainer.max_epochs=1", "data.limit=200"], tmp_path)
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), sync(file)))
    parts.trainer.loggers[0].log_metrics({"train/loss": 1.0}, step=9)
    parts.saver.save(parts.trainer)
    rows = (tmp_path / "metrics.csv").stat().st_ino
    assert synced[0] == rows
    assert len(synced) > 1
    good = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()
    next(parts.classifier.parameters()).data.fill_(math.nan)
    parts.saver.save(parts.trainer)
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == good


def test_the_test_stops_on_request():
    stop = StopRequest()
    callback, trainer = StopTest(stop), SimpleNamespace(world_size=1)
    callback.on_test_batch_end(trainer)
    stop.signum = 15
    with pytest.raises(Stopped):
        callback.on_test_batch_end(trainer)


def test_a_run_resumes_without_the_weights_that_it_started_from(tmp_path):
    first = fitted(["trainer=cpu", "trainer.max_epochs=1", "data.limit=200"], tmp_path / "first")
    start = tmp_path / "start.ckpt"
    (first.saver.folder / "best.ckpt").rename(start)
    words = ["trainer=cpu", "trainer.max_epochs=1", "data.limit=200", f"model.weights={start}"]
    second = fitted(words, tmp_path / "second")
    assert built(words, tmp_path / "third", known=second.classifier.card).classifier.net is not None
    start.unlink()
    assert (
        built(words, tmp_path / "third", known=second.classifier.card, checked=False).classifier.net
        is not None
    )
