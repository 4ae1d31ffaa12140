"""Optuna's study learns, survives a kill, and knows what was pruned, diverged or failed."""

import math

import pytest
from optuna.trial import TrialState

from imagelab.sweep.bayes import FILE, Bayes
from imagelab.sweep.space import parsed
from imagelab.sweep.study import open_study
from imagelab.sweep.trial import Row

RANGES = {
    "lr": parsed("lr", "tag(log,interval(1e-5,1))", "lr"),
    "depth": parsed("depth", "int(interval(1,9))", "depth"),
    "model": parsed("model", "a,b", "model"),
}


def search(folder, trials=40, prune="none"):
    found = Bayes(trials=trials, startup=8, prune=prune, patience=1, seed=0, space=None)
    found.begin(folder, RANGES, lower=False)
    return found


def quality(values):
    """Best at 0.003 and 7, with a."""
    away = abs(math.log10(float(values["lr"])) - math.log10(0.003)) + abs(int(values["depth"]) - 7) / 4
    return -away - (values["model"] == "b")


def row(number, values, status="finished"):
    return Row(number=number, status=status, overrides=values, value=quality(values))


def test_later_trials_are_better_than_random_ones(tmp_path):
    found, scores = search(tmp_path), []
    for number in range(40):
        values = found.overrides(number)
        scores.append(quality(values))
        found.tell(row(number, values))
    assert sum(scores[-10:]) / 10 > sum(scores[:8]) / 8 + 0.8
    assert found.overrides(40) is None


def test_a_killed_study_resumes_with_the_same_values(tmp_path):
    whole, cut = search(tmp_path / "whole", 13), search(tmp_path / "cut", 13)
    for number in range(13):
        values = whole.overrides(number)
        whole.tell(row(number, values))
        assert cut.overrides(number) == values
        if number in (3, 9, 11):  # killed while the trial ran: another process opens the file
            cut = search(tmp_path / "cut", 13)
            assert cut.overrides(number) == values
        cut.tell(row(number, values))
    assert len(cut.study.trials) == 13


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()


def test_the_sampler_avoids_diverged_trials_and_ignores_failed_ones(tmp_path):
    found = search(tmp_path)
    for number, status in enumerate(["finished", "pruned", "diverged", "failed", "killed"]):
        found.tell(row(number, found.overrides(number), status))
    states = [trial.state for trial in open_study(tmp_path / FILE, lower=False).trials]
    assert states == [TrialState.COMPLETE, *[TrialState.PRUNED] * 2, *[TrialState.FAIL] * 2]


def test_a_resumed_study_draws_a_new_trial_for_each_that_failed(tmp_path):
    found = search(tmp_path, trials=5)
    for number, status in enumerate(["finished", "failed", "finished", "killed", "diverged"]):
        found.tell(row(number, found.overrides(number), status))
    assert found.overrides(5) is None
    resumed = search(tmp_path, trials=5)
    new = [resumed.overrides(number) for number in (5, 6)]
    assert new[0] != found.overrides(1)
    assert resumed.overrides(7) is None


def test_concurrent_trials_have_different_values(tmp_path):
    found = search(tmp_path)
    for number in range(10):
        found.tell(row(number, found.overrides(number)))
    assert len({found.overrides(number)["lr"] for number in range(10, 14)}) == 4
