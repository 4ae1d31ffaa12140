"""A generator and a discriminator on two processes: one pair of networks, one balance, an exact resume."""

import csv
import json
from pathlib import Path

import pytest

from imagelab.checkpoints.durable import read
from tests import in_process
from tests.held import stop_one_process
from tests.runs_of_the_command import assert_same, finish, outcome

pytestmark = pytest.mark.slow
RATE, RATIO = 0.1, 0.7
WORDS = ["task=gan", "model=began", f"loss.rate={RATE}", f"loss.ratio={RATIO}", "trainer=ddp_cpu"]
WORDS += ["data.limit=192", "data.batch_size=16", "model.width=4", "model.latent=6", "trainer.max_epochs=2"]
WORDS += ["trainer.log_every_n_steps=1", "trick=[ema,instance_noise]"]


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    finish([*WORDS, f"hydra.run.dir={folder / 'run'}"], folder, real_ranks=True)
    return folder / "run"


def rows(run: Path) -> list[dict[str, str]]:
    return [row for row in csv.DictReader((run / "metrics.csv").open()) if row["train/loss"]]


def test_a_step_is_one_batch_of_each_process(two):
    assert len(rows(two)) == json.loads((two / "results.json").read_text())["steps"] == 2 * (192 // 32)


def test_both_processes_have_the_same_networks(two):
    """Each judged half of the split: one process that judges all of it finds the same."""
    before = json.loads((two / "results.json").read_text())["test"]
    said = in_process.imagelab("evaluate", f"run={two}", folder=two.parent)
    assert said.status == 0, said
    again = json.loads((two / "evaluation.json").read_text())["metrics"]
    for name in ("loss", "score_real", "score_fake", "frechet"):
        assert again[name] == pytest.approx(before[name], abs=1e-4), name


def test_the_balance_follows_the_scores_of_both_processes(two):
    share = 0.0
    for row in rows(two):
        gap = float(row["train/score_fake"]) - RATIO * float(row["train/score_real"])
        share = min(max(share + RATE * gap, 0.0), 1.0)
        assert float(row["train/share"]) == pytest.approx(share, abs=1e-5)
    assert share > 0
    kept = read(two / "checkpoints" / "last.ckpt")["state_dict"]["task.criterion.share"]
    assert float(kept) == pytest.approx(share, abs=1e-5)


def test_a_signal_to_one_process_stops_both_and_the_run_goes_on_exactly(tmp_path, two):
    run = tmp_path / "stopped"
    stop_one_process(WORDS, run, tmp_path)
    finish([f"resume={run}"], tmp_path)
    assert_same(outcome(two), outcome(run))
