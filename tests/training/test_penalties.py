"""The record of penalties added to the loss, and the warning if they are out of balance."""

import io
import math

import pytest
import torch
from rich.console import Console
from torch import nn

from imagelab.terminal import screen
from imagelab.training.loss_record import Diverged, LossRecord
from imagelab.training.penalties import LossTerms, imbalance
from imagelab.trick.weight_penalty import L1, L2
from tests.fitting import SHORT, fitted

PENALTIES = {"l1": L1(strength=0.5), "l2": L2(strength=0.25)}


def test_emptied_terms_keep_the_records_that_tricks_have_added():
    terms = LossTerms(penalties=PENALTIES, window=3)
    terms.records["distill"] = LossRecord(window=3)
    terms.records["distill"].add(torch.tensor(2.0))
    assert terms.running()["train/distill"] == 2
    assert terms.emptied().running() == {"train/l1": 0, "train/l2": 0, "train/distill": 0}


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"train/loss": 1.0, "train/l1": 100.0}, None),
        ({"train/loss": 0.0, "train/l1": 100.0}, None),  # nothing to compare with
        (
            {"train/loss": 2.0, "train/l1": 230.0},
            "train/l1 (230) is 115 times train/loss (2), so train/loss may hardly matter: "
            "lower trick.l1.strength (0.5).",
        ),
        (
            {"train/loss": 2.0, "train/l2": 0.002},
            "train/loss (2) is 1,000 times train/l2 (0.002), so train/l2 may hardly matter: "
            "raise trick.l2.strength (0.25).",
        ),
        (
            {"train/loss": 2.0, "train/l1": 20.0, "train/l2": 0.1},
            "train/l1 (20) is 200 times train/l2 (0.1), so train/l2 may hardly matter: "
            "lower trick.l1.strength (0.5) or raise trick.l2.strength (0.25).",
        ),
    ],
)
def test_a_ratio_above_100_is_reported_with_both_sizes_and_a_remedy(sizes, sentence):
    assert imbalance(sizes, PENALTIES) == sentence


def test_a_run_warns_once_that_a_penalty_outweighs_the_loss(tmp_path, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(screen, "terminal", Console(file=out, soft_wrap=True))
    fitted([*SHORT, "trainer.max_epochs=2", "trick=[l1]", "trick.l1.strength=100"], tmp_path)
    assert out.getvalue().count("lower trick.l1.strength (100).") == 1


def filled():
    terms, net = LossTerms(penalties=PENALTIES, window=2), nn.Linear(2, 1, bias=False)
    for value in (1.0, 2.0, 4.0):
        net.weight.data.fill_(value)
        assert len(list(terms.of(net, record=True))) == 2
    return terms


def test_its_state_survives_a_checkpoint():
    terms, other = filled(), LossTerms(penalties=PENALTIES, window=2)
    terms.running()  # flushed, as before a checkpoint
    other.load_state_dict(terms.state_dict())
    assert other.running() == terms.running() == {"train/l1": 3.0, "train/l2": 0.25 * (4 + 16) / 2}
    assert other.end_epoch() == {"train/l1_epoch": 7 / 3, "train/l2_epoch": 0.25 * 7}
    assert other.end_epoch() == {"train/l1_epoch": 0, "train/l2_epoch": 0}


class Broken:
    """A term that is no number from its third step on."""

    def __init__(self):
        self.strength, self.seen = 1.0, 0

    def penalty(self, net):
        self.seen += 1
        return torch.tensor(math.nan if self.seen > 2 else 0.5)


def test_a_non_finite_penalty_ends_the_run(tmp_path):
    words = ["trainer.max_epochs=3", "++trick.broken._target_=tests.training.test_penalties.Broken"]
    with pytest.raises(Diverged, match=r"NaN or infinite at step 2 \(epoch 1\)"):
        fitted([*SHORT, *words], tmp_path)
