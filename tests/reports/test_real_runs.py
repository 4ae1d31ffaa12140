"""Runs designed to overfit, underfit, diverge or stop too early get that verdict."""

from pathlib import Path

import pytest

from imagelab.config.compose import compose, plain
from imagelab.reports.curves import read_curves
from imagelab.reports.of_run import facts
from imagelab.reports.verdict import verdict
from imagelab.training.loss_record import Diverged
from tests.fitting import built

QUICK = [
    ("overfitting", "data.limit=40 data.batch_size=10 trainer.max_epochs=50 model.widths=[64,128,128]"),
    ("underfitting", "model.widths=[1,1,1] trainer.max_epochs=30"),
    ("diverged", "optimizer=momentum optimizer.lr=1e5 model.norm=none schedule=constant"),
    ("train longer", "trainer.max_epochs=3"),
]
LONGER = [
    ("healthy", "trainer.max_epochs=15"),
    ("healthy", "augment=[crop,mixup] optimizer=lion optimizer.lr=0.0005 trainer.max_epochs=15"),
    ("healthy", "optimizer=sgd optimizer.lr=0.2 trainer.max_epochs=25 seed=9"),
    (
        "overfitting",
        "data.limit=100 data.batch_size=20 trainer.max_epochs=60 optimizer=momentum optimizer.lr=0.03 "
        "schedule=constant model.norm=none",
    ),
    (
        "overfitting",
        "data.limit=40 data.batch_size=10 trainer.max_epochs=80 optimizer.lr=0.01 schedule=constant "
        "model.norm=none data.classes=[3,5,8,9]",
    ),
    ("underfitting", "model.dropout=0.97 trainer.max_epochs=30"),
    ("underfitting", "model.widths=[1,2,1] trainer.max_epochs=40 seed=5"),
    ("train longer", "trainer.max_epochs=5 schedule=constant optimizer.lr=0.0005"),
    ("train longer", "trainer.max_epochs=4 schedule=constant optimizer=sgd optimizer.lr=0.02"),
    ("LR too high", "optimizer=momentum optimizer.lr=5 schedule=constant trainer.max_epochs=15"),
    ("LR too high", "optimizer.lr=0.5 schedule=constant trainer.max_epochs=15"),
    ("LR too high", "optimizer=momentum optimizer.lr=2 schedule=constant trainer.max_epochs=12 seed=3"),
    ("LR too low", "optimizer.lr=1e-5 schedule=constant trainer.max_epochs=15"),
    ("LR too low", "optimizer=sgd optimizer.lr=0.0005 schedule=constant trainer.max_epochs=15"),
    ("diverged", "optimizer=sgd optimizer.lr=1e30 schedule=constant"),
    ("not learning", "optimizer.lr=1e-9 trainer.max_epochs=8"),
]


def judged(words: list[str], folder: Path) -> str:
    """Train, and judge by what lies in the folder."""
    words, results = ["trainer=cpu", "trainer.log_every_n_steps=1", *words], {}
    parts = built(words, folder)
    try:
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    except Diverged as error:
        results = {"error": f"Diverged: {error}"}
    cfg = plain(compose("train", words).cfg or {})
    classes = len(parts.data.classes)
    return verdict(read_curves(folder / "metrics.csv"), facts(cfg, classes, results)).state


@pytest.mark.parametrize(("state", "words"), QUICK, ids=[state for state, _ in QUICK])
def test_a_run_designed_for_a_verdict_gets_it(state, words, tmp_path):
    assert judged(words.split(), tmp_path) == state


@pytest.mark.slow
def test_nine_of_ten_runs_designed_for_a_verdict_get_it(tmp_path):
    found = {words: judged(words.split(), tmp_path / str(i)) for i, (_, words) in enumerate(LONGER)}
    wrong = {words: found[words] for state, words in LONGER if found[words] != state}
    assert len(wrong) <= len(LONGER) / 10, wrong
