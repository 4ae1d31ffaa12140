"""Prodigy finds a rate while it trains, and says which one."""

import csv

import pytest
from torch import nn

from imagelab.build import build_optimizer
from imagelab.config.compose import compose, plain
from imagelab.config.rules.combinations import problems
from tests.config.rules.test_tasks import composed
from tests.fitting import SHORT, fitted
from tests.trick.watching import assert_same_bits, watched


def test_from_a_millionth_it_finds_a_rate_that_solves_a_problem_of_any_scale(capsys):
    for scale in (1.0, 100.0):
        net = nn.Linear(1, 1, bias=False)
        net.weight.data.fill_(scale)
        cfg = plain(compose("train", ["optimizer=prodigy", "optimizer.weight_decay=1e-9"]).cfg or {})
        make, groups = build_optimizer(cfg["optimizer"], net, batch=256)
        optimizer = make(groups)
        for _ in range(300):
            optimizer.zero_grad()
            net.weight.abs().sum().backward()
            optimizer.step()
        assert net.weight.abs().item() < 0.2 * scale
        assert 1e-3 * scale < optimizer.param_groups[0]["d"] < scale
    assert capsys.readouterr().out == ""


def test_a_run_logs_the_rate_that_it_found_and_brings_its_schedule(tmp_path):
    words = [*SHORT, "optimizer=prodigy", "trainer.max_epochs=3"]
    parts = fitted(words, tmp_path)
    assert type(parts.classifier.schedule).__name__ == "Cosine"
    with (tmp_path / "metrics.csv").open() as lines:
        rates = [float(row["lr/decay"]) for row in csv.DictReader(lines) if row["lr/decay"]]
    assert rates[0] == pytest.approx(1e-6)
    group = parts.trainer.optimizers[0].param_groups[0]
    assert rates[-1] == pytest.approx(group["lr"] * group["d"])
    assert group["d"] > 3e-6


def test_stopped_in_an_epoch_it_goes_on_with_the_rate_that_it_has_found(tmp_path):
    words = ["optimizer=prodigy", "logger=[]", "trainer.max_epochs=3", "model.dropout=0.2"]
    whole = watched(words, tmp_path / "whole", copy_at=7)
    resumed = watched(words, tmp_path / "resumed", go_on=tmp_path / "whole" / "copy.ckpt")
    assert_same_bits(whole, resumed)
    found = [[group["d"] for group in run.trainer.optimizers[0].param_groups] for run in (whole, resumed)]
    assert found[0] == found[1]
    assert min(found[0]) > 1e-6


def test_rates_by_stage_and_shards_are_refused():
    found = problems(composed("optimizer=prodigy", "finetune=discriminative", "model.weights=run"))
    assert any("Prodigy has one rate for all weights" in one for one in found)
    assert any(
        "measures whole weights" in one for one in problems(composed("optimizer=prodigy", "trainer=fsdp"))
    )
