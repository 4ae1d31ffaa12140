"""What more images would bring, by a power law."""

import json

import numpy as np
import pytest

from imagelab.sweep.learning_curve import FINDINGS, Law, fit, resampled
from tests.sweep.made import sweep

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
LAW = Law(floor=0.02, scale=0.05, power=0.6)


def noisy(rng):
    return {share: (LAW.at(share) * (1 + 0.05 * rng.standard_normal(3))).tolist() for share in SHARES}


def test_the_interval_of_what_twice_the_images_bring_covers_the_truth():
    rng, truth, covered = np.random.default_rng(0), LAW.at(1) - LAW.at(2), 0
    for _ in range(12):
        errors = noisy(rng)
        low, high = np.quantile([law.at(1) - law.at(2) for law in resampled(errors)[:60]], [0.025, 0.975])
        covered += low <= truth <= high
        assert fit(errors).at(1) - fit(errors).at(2) == pytest.approx(truth, abs=0.01)
    assert covered >= 9


def test_from_that_share_on_doubling_gains_less_than_it_is_worth():
    share = LAW.enough(0.005)
    assert LAW.at(share) - LAW.at(2 * share) == pytest.approx(0.005)
    assert share > 1


def test_a_sweep_trains_on_growing_shares_and_says_what_more_would_bring(tmp_path):
    seen = []

    def accuracy(cfg):
        seen.append(cfg["data"]["train_limit"])
        error = LAW.at(cfg["data"]["train_limit"] or 1) + 0.0005 * cfg["seed"]
        return 2 * (1 - error)  # the made test accuracy is half of this

    words = ["-m", "sweep=learning_curve", "sweep.seeds=2", "sweep.shares=[0.1,0.3,0.6,1]"]
    said = sweep(accuracy, *words, "hydra.sweep.dir=found", folder=tmp_path)
    assert said.status == 0, said.out + said.err
    assert seen == [share for share in (0.1, 0.3, 0.6, None) for _ in range(2)]
    content = json.loads((tmp_path / "found" / FINDINGS).read_text())
    truth = LAW.at(1) - LAW.at(2)
    assert content["twice_the_images"]["gain"] == pytest.approx(truth, abs=2e-3)
    assert content["twice_the_images"]["low"] <= truth <= content["twice_the_images"]["high"] + 1e-3
    assert content["enough_at_share"] == pytest.approx(LAW.enough(0.005), rel=0.2)
    assert "Twice the images: 0.0" in said.out
