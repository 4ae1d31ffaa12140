"""Metrics of generated images: by formula, and what they say of copies, collapse and other images."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from imagelab.metrics.generated import diversity, frechet, generated_metrics, neighbours

rng = torch.Generator().manual_seed(0)
REAL = torch.randn(200, 6, generator=rng)
LABELS = torch.arange(200) % 2


def test_the_frechet_distance_is_that_of_two_normal_distributions():
    other = torch.randn(300, 6, generator=rng) @ torch.randn(6, 6, generator=rng) + 1
    a, b = REAL.double().numpy(), other.double().numpy()
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    far = np.sum((a.mean(0) - b.mean(0)) ** 2)
    wanted = far + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert float(frechet(REAL, other)) == pytest.approx(wanted, rel=1e-4)


def test_precision_recall_density_and_coverage_count_balls_of_the_papers():
    fake = torch.randn(80, 6, generator=rng) * 0.7
    found = neighbours(REAL, fake, nearest=3)
    real, made = REAL.numpy(), fake.numpy()
    reach = [np.sort(np.linalg.norm(real - one, axis=1))[3] for one in real]
    reach_made = [np.sort(np.linalg.norm(made - one, axis=1))[3] for one in made]
    inside = np.array([[np.linalg.norm(r - m) <= k for m in made] for r, k in zip(real, reach, strict=True)])
    within = np.array(
        [[np.linalg.norm(r - m) <= k for r in real] for m, k in zip(made, reach_made, strict=True)]
    )
    assert float(found["precision"]) == pytest.approx(inside.any(axis=0).mean())
    assert float(found["recall"]) == pytest.approx(within.any(axis=0).mean())
    assert float(found["density"]) == pytest.approx(inside.sum() / 3 / 80)
    assert float(found["coverage"]) == pytest.approx(inside.any(axis=1).mean())


def test_a_case_by_hand_with_one_neighbour():
    real = torch.tensor([[0.0], [1], [2], [10], [-100]])  # radii 1, 1, 1, 8, 100
    fake = torch.tensor([[0.5], [20], [4]])  # radii 3.5, 16, 3.5
    found = {name: float(value) for name, value in neighbours(real, fake, nearest=1).items()}
    # 0.5 lies in the balls of 0 and 1, 4 in that of 10; only 2 and -100 have none; only -100 is in no ball
    assert found == pytest.approx({"precision": 2 / 3, "density": 1, "coverage": 3 / 5, "recall": 4 / 5})


def test_copies_are_perfect_and_one_image_for_all_is_precise_but_covers_nothing():
    same = generated_metrics(REAL, REAL, LABELS)
    assert [float(same[name]) for name in ("precision", "recall", "coverage", "diversity")] == [1, 1, 1, 1]
    assert float(same["frechet"]) < 1e-6
    collapsed = generated_metrics(REAL, REAL[:1].expand(200, -1) * 0.1, LABELS)
    assert collapsed["precision"] == 1
    assert collapsed["diversity"] == 0
    assert collapsed["recall"] < 0.1
    assert collapsed["coverage"] < 0.6


def test_diversity_is_measured_within_classes():
    centres = torch.tensor([[9.0] * 6, [-9.0] * 6])[LABELS]
    assert float(diversity(REAL + centres, REAL / 2 + centres, LABELS)) == pytest.approx(0.5, rel=1e-4)


def test_too_few_images_have_no_metrics():
    assert all(value.isnan() for value in generated_metrics(REAL[:6], REAL[:6], LABELS[:6]).values())
