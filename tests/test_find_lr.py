"""The command `find_lr`: what it writes, prints and refuses, and that it leaves no other files."""

import json

import numpy as np
import pytest

from imagelab.finders.lr_findings import findings, override, picture, summary
from imagelab.finders.lr_range import ladder
from imagelab.finders.lr_rule import Curve, diverges, suggested
from tests.in_process import imagelab

QUICK = ["trainer=cpu", "data.limit=400", "data.batch_size=64", "model.widths=[8,16]"]
CFG = {"optimizer": {"lr": 0.01}}


def found(*words, folder):
    said = imagelab("find_lr", *QUICK, *words, "hydra.run.dir=out", folder=folder)
    assert said.status == 0, said
    listed = json.loads((folder / "out" / "find_lr.json").read_text())
    return said, {finding["name"]: finding for finding in listed}


def made(fall=1.5, middle=1e-2, back=1.0):
    rates = np.array(ladder(1e-7, 10.0, 100))
    losses = 2.3 - fall / (1 + (middle / rates) ** 4) + np.minimum((rates / back) ** 4, 1e9)
    losses += 0.02 * np.random.default_rng(0).standard_normal(100)
    return Curve(rates=list(rates), losses=list(losses), steps=100)


def by_name(curve, cfg=CFG, groups=None):
    return {
        finding.name: finding for finding in findings(curve, cfg, groups or {"decay": 1.0, "no_decay": 1.0})
    }


def test_it_writes_findings_a_page_and_a_chart_and_shows_what_to_paste(tmp_path):
    said, listed = found("optimizer.lr=30", folder=tmp_path)
    rate = listed["suggested rate"]["value"]
    assert 1e-4 < rate < 0.3
    assert listed["suggested rate"]["fix"] == f"`optimizer.lr={rate:g}`"
    assert f"Set optimizer.lr={rate:g}: the peak rate" in said.out
    assert listed["learning seen"]["value"] > 4
    assert rate < listed["divergence"]["value"]
    assert listed["configured rate"]["status"] == "FAIL"  # and yet the exit status is 0
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "find_lr.html",
        "find_lr.json",
        "find_lr.svg",
    ]
    picture = (tmp_path / "out" / "find_lr.svg").read_text()
    assert picture in (tmp_path / "out" / "find_lr.html").read_text()
    assert f"suggested {rate:.2g}" in picture


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["start=1", "end=0.1"], "start: wants less than end (0.1), got 1"),
        (["end=inf"], "end: wants a finite number, got inf"),
        (["steps=20"], "steps: wants 50 or more"),
        (["optimizer=lbfgs", "data.batch_size=full"], "LBFGS sets its step size by a line search"),
        (["model.widths=[0]"], "model.widths: wants 1 or more"),
        (["end=high"], "end:"),
    ],
)
def test_a_test_without_a_possible_result_is_refused_in_a_sentence(words, sentence, tmp_path):
    said = imagelab("find_lr", *QUICK, *words, folder=tmp_path)
    assert (said.status, sentence in " ".join(said.err.split())) == (2, True), said
    assert [*tmp_path.iterdir()] == []


def test_the_status_of_a_configured_rate_follows_from_suggestion_and_divergence():
    curve = made()
    rate, limit = suggested(curve), diverges(curve)
    for configured, status in [(rate, "OK"), (rate / 11, "WARN"), (rate * 9, "OK"), (limit * 1.01, "FAIL")]:
        finding = by_name(curve, {"optimizer": {"lr": configured}})["configured rate"]
        assert (configured, finding.status, bool(finding.fix)) == (configured, status, status != "OK")


def test_without_learning_there_is_a_reason_and_a_remedy_instead_of_a_number():
    curve = made(fall=0.0)
    assert override(curve) is None
    assert summary(curve).startswith("No suggestion: the loss fell by ")
    listed = by_name(curve)
    assert (listed["suggested rate"].value, listed["suggested rate"].status) == (None, "WARN")
    assert "imagelab check" in listed["learning seen"].fix  # room: checks
    assert "suggested" not in picture(curve, 0.01)
    too_large = by_name(curve, {"optimizer": {"lr": 5.0}})["configured rate"]
    assert (too_large.status, too_large.fix) == ("WARN", f"`optimizer.lr={diverges(curve) / 10:.2g}`")


def test_parameter_groups_with_their_own_rates_are_listed():
    curve = made()
    groups = {"layer1.decay": 0.25, "head.decay": 1.0}
    told = by_name(curve, groups=groups)["rates of the groups"].value
    rate = suggested(curve)
    assert told == {name: pytest.approx(rate * share, rel=0.05) for name, share in groups.items()}
    assert "rates of the groups" not in by_name(curve)
