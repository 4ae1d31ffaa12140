"""Each trick has a claim or a reason; a verdict follows from an interval; the page says what the runs say."""

import importlib
import json
import sys
from types import ModuleType

import numpy as np
import pytest
import yaml

from imagelab.config import menu, validate
from imagelab.config.compose import compose, plain
from imagelab.model.init import SCHEMES
from imagelab.terminal import screen
from tests.documents import ROOT
from tests.in_process import untouched

NAMES = ("many_runs", "claims", "claim_data", "evidence_picture", "tricks_page", "tricks")
GROUPS = ("optimizer", "schedule", "augment", "trick", "loss", "finetune", "tta")


@pytest.fixture(scope="module")
def scripts():
    """The scripts of the benchmark, by name."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield {name: importlib.import_module(name) for name in NAMES}
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in NAMES:
        sys.modules.pop(name, None)


def located(words: str) -> list[str]:
    return words.replace("{kept}", "kept").replace("{data}", "data").split()


def test_every_choice_has_a_claim_or_a_reason_why_not(scripts: dict[str, ModuleType]) -> None:
    claims = scripts["claims"]
    known = claims.content()["claims"].keys() | claims.reasons().keys()
    choices = [f"{group}={name}" for group in GROUPS for name in menu.choices(group)]
    choices += [f"model.init={name}" for name in ("default", *SCHEMES, "lsuv")]
    assert [choice for choice in choices if choice not in known] == []


@pytest.mark.parametrize("budget", ["small", "full"])
def test_the_words_of_every_regime_mean_a_run_that_may_start(scripts, budget: str) -> None:
    claims = scripts["claims"]
    sides = {claim.regime: claim.with_it.words for claim in claims.claims(budget)}
    assert sides.keys() <= claims.regimes().keys()
    for regime, words in sides.items():
        composed = compose("train", located(words))
        assert composed.cfg is not None, (regime, composed.problems)
        assert composed.problems + validate.problems(plain(composed.cfg)) == [], regime


@pytest.mark.slow
def test_the_words_of_every_claim_mean_a_run_that_may_start(scripts) -> None:
    for claim in (claim for budget in ("small", "full") for claim in scripts["claims"].claims(budget)):
        for side in (claim.with_it, claim.without):
            composed = compose("train", located(side.words))
            assert composed.cfg is not None, (claim.name, composed.problems)
            assert composed.problems + validate.problems(plain(composed.cfg)) == [], claim.name
            assert compose("evaluate", ["run=r", *side.evaluate.split()]).problems == []


def test_both_sides_of_a_claim_differ_in_nothing_but_the_trick_and_what_it_needs(scripts) -> None:
    claims = scripts["claims"]
    for claim in claims.claims("small"):
        sides = [claims.words_of(side.words) for side in (claim.with_it, claim.without)]
        assert (sides[0], claim.with_it.evaluate) != (sides[1], claim.without.evaluate), claim.name
        regime = claims.words_of(claims.content()["regimes"][claim.regime]["words"])
        said = claims.words_of(str(claims.content()["claims"][claim.name].get("against", "")))
        others = {key for key in sides[1] if sides[1][key] != regime.get(key)} - {
            "trainer",
            "logger",
            "save_every",
        }
        assert others <= {*said, "model.weights"}, claim.name


@pytest.mark.parametrize(
    ("gains", "expects", "verdict"),
    [
        ([2, 3, 2, 3, 2], "more", "held"),
        ([2, 3, 2, 3], "more", "too few runs"),
        ([2, -3, 4, -2, 3], "more", "not resolved"),
        ([-2, -3, -2, -3, -2], "more", "did not hold"),
        ([0.1, -0.2, 0.1, 0, 0], "more", "did not hold"),  # surely less than a point
        ([0, 0, 0, 0, 0], "more", "did not hold"),
        ([-0.1, 0.2, -0.1, 0, 0], "same", "held"),
        ([2, 3, 2, 3, 2], "same", "held"),  # as good as, or better
        ([-2, -3, -2, -3, -2], "same", "did not hold"),
        ([-2, -3, -2, -3, -2], "less", "held"),
    ],
)
def test_a_verdict_follows_from_the_interval_of_paired_differences(scripts, gains, expects, verdict) -> None:
    claim = scripts["claims"].claims("small")[0]
    changed = scripts["claims"].Claim(**{**vars(claim), "expects": expects, "margin": 1.0})
    assert scripts["tricks_page"].Effects(changed, 0, 0, list(map(float, gains))).verdict == verdict


def test_the_interval_is_that_of_student(scripts) -> None:
    rng = np.random.default_rng(0)
    covered = [
        abs(one.mean) < one.half
        for gains in rng.normal(size=(4000, 5)).tolist()
        if (one := scripts["tricks_page"].Effects(None, 0, 0, gains))
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_a_rate_is_chosen_on_val_whatever_test_says(scripts) -> None:
    claims = scripts["claims"]
    side = claims.Side("optimizer=sgd", (0.1, 1, 10), "", "")
    known = {
        (side.at(factor), claims.TUNING): {"accuracy": test, "val": val, "val_loss": 1.0}
        for factor, val, test in ((0.1, 0.5, 0.9), (1, 0.7, 0.2), (10, 0.6, 1.0))
    }
    assert side.chosen(known) == "optimizer=sgd optimizer.lr=0.1"
    known.pop((side.at(10), claims.TUNING))
    assert side.chosen(known) is None


def test_claims_that_are_not_resolved_get_more_seeds_and_no_others_do(scripts) -> None:
    tricks, (claim, other) = scripts["tricks"], scripts["claims"].claims("small")[:2]
    known = {(claim.without.words, seed): {"accuracy": 0.5} for seed in range(5)}
    known |= {(claim.with_it.words, seed): {"accuracy": 0.5 + 0.02 * (-1) ** seed} for seed in range(5)}
    known |= {(other.with_it.words, seed): {"accuracy": 0.9 + 0.01 * seed} for seed in range(5)}
    assert other.without.words == claim.without.words
    left = list(tricks.missing([claim, other], 5, known))
    assert {piece.words for piece in left} == {claim.without.words, claim.with_it.words}
    assert {piece.seed for piece in left} == set(range(5, 10))


def test_labels_are_wrong_in_train_and_val_only_and_rare_classes_are_a_tenth(scripts) -> None:
    data, labels = scripts["claim_data"], np.tile(np.arange(10), 180)
    for split, share in (("train", 0.4), ("val", 0.4), ("test", 0)):
        found = [(int(file[:4]) % 10, int(label)) for file, label, at in data.noisy(labels) if at == split]
        assert np.mean([true != said for true, said in found]) == pytest.approx(share, abs=0.1)
    train = [int(label) for _, label, split in data.unequal(labels) if split == "train"]
    assert np.bincount(train).tolist() == [40] * 5 + [4] * 5
    files = [
        [file for file, _, at in data.noisy(labels) if at == split] for split in ("train", "val", "test")
    ]
    assert len({file for part in files for file in part}) == sum(map(len, files))


@pytest.fixture
def short(scripts, tmp_path, monkeypatch):
    """The folders of a benchmark that keeps its lines elsewhere."""
    monkeypatch.setattr(scripts["tricks"], "KEPT", tmp_path / "tricks.jsonl")
    with untouched():
        screen.hush()
        scripts["claim_data"].prepare(tmp_path / "kept", None)
        yield scripts["tricks"].Places(tmp_path, tmp_path / "kept")


def test_each_regime_runs_for_a_few_steps(scripts, short, monkeypatch) -> None:
    claims, tricks = scripts["claims"], scripts["tricks"]
    few = " trainer.max_epochs=1 data.limit=40 data.batch_size=20"
    monkeypatch.setitem(
        claims.content(),
        "starts",
        dict.fromkeys(claims.content()["starts"], "data.limit=40 data.batch_size=20 trainer.max_epochs=1"),
    )
    own = {
        claim.regime: claim
        for claim in reversed(claims.claims("small"))
        if "{data}" not in claim.with_it.words
    }
    for claim in own.values():
        tricks.keep(tricks.Piece(claim.with_it, claim.with_it.words + few, 0), short)
    lines = [json.loads(line) for line in tricks.KEPT.read_text().splitlines()]
    assert len(lines) == len(own)
    assert all(line["epochs"] == 1 and 0 <= line["accuracy"] <= 1 for line in lines)


def test_the_page_says_what_the_runs_say(scripts) -> None:
    page, claims = scripts["tricks_page"], scripts["claims"]
    text, known = page.PAGE.read_text(encoding="utf-8"), page.lines()
    found = [one for claim in claims.claims("small") if (one := page.effects(claim, known)).gains]
    assert [one.claim.name for one in found if page.row(one) not in text] == []
    assert [one.claim.name for one in found if one.verdict == "did not hold" and not one.claim.why] == []
    if len(claims.claims("small")) == len(claims.content()["claims"]):  # no room was taken out
        assert page.summary(found) in text
    assert yaml.safe_load(claims.FILE.read_text())["claims"].keys() >= {one.claim.name for one in found}
