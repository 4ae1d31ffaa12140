# room: generators
"""Each state of a generator's run is recognised by its numbers, and the page shows samples and numbers."""

import numpy as np
import pytest

from imagelab.reports.curves import Curves
from imagelab.reports.generator_verdict import generator_verdict
from tests import in_process

HEALTHY = {
    "frechet": 2.0,
    "diversity": 0.95,
    "coverage": 0.9,
    "precision": 0.95,
    "score_real": 0.3,
    "score_fake": -0.3,
}


def curves(known: float = 0.0, fall: float = 1.0, epochs: int = 20, **changes: float) -> Curves:
    """Constant curves, with a Fréchet distance that falls by a factor in the last fifth."""
    val = {name: np.full(epochs, value) for name, value in (HEALTHY | changes).items()}
    val["frechet"][-epochs // 5 :] *= fall
    trained = {"score_real": val["score_real"] + known}
    return Curves(epochs=np.arange(epochs) + 1.0, train=np.ones(epochs), val={"val": val}, terms=trained)


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ("healthy", {}),
        ("collapsed", {"diversity": 0.1}),
        ("collapsed", {"coverage": 0.05}),
        ("discriminator wins", {"score_real": 6.0, "score_fake": -6.0, "precision": 0.0}),
        ("discriminator memorises", {"known": 5.0}),
        ("train longer", {"fall": 0.7}),
        ("too early to say", {"epochs": 3}),
        ("too early to say", {"frechet": float("nan")}),
    ],
)
def test_each_state_has_its_numbers(state, given):
    assert generator_verdict(curves(**given), diverged=False).state == state


WON = {"score_fake": 0.0, "precision": 0.0}


@pytest.mark.parametrize(
    ("given", "key", "limit", "below", "above"),
    [
        ({}, "diversity", 0.5, "collapsed", "healthy"),
        ({}, "coverage", 0.2, "collapsed", "healthy"),
        ({"coverage": 0.05}, "precision", 0.2, "healthy", "collapsed"),
        (WON | {"score_real": 9.0}, "precision", 0.05, "discriminator wins", "healthy"),
        (WON, "score_real", 4.0, "healthy", "discriminator wins"),
        ({}, "known", 3.0, "healthy", "discriminator memorises"),
        ({}, "fall", 0.9, "train longer", "healthy"),
    ],
)
def test_each_limit_lies_where_it_is_said_to_lie(given, key, limit, below, above):
    step = 0.01 if key == "fall" else 0.1 * limit
    found = [
        generator_verdict(curves(**given | {key: limit + side * step}), diverged=False) for side in (-1, 1)
    ]
    assert [one.state for one in found] == [below, above]


def test_the_last_fifth_of_four_epochs_or_more_is_judged():
    assert generator_verdict(curves(epochs=4), diverged=False).state == "healthy"
    rising = curves()
    rising.val["val"]["diversity"][:] = np.arange(20) / 20
    assert generator_verdict(rising, diverged=False).numbers["diversity"] == pytest.approx(0.875)


def test_a_non_finite_loss_comes_first():
    assert generator_verdict(curves(diversity=0.1), diverged=True).state == "diverged"


def test_a_run_ends_in_a_page_with_samples_and_numbers_and_says_how_to_generate(tmp_path):
    words = ["task=gan", "trainer=cpu", "data.limit=96", "data.batch_size=16", "model.width=4"]
    said = in_process.imagelab("train", *words, "trainer.max_epochs=4", "hydra.run.dir=run", folder=tmp_path)
    assert "The report failed" not in said.out + said.err
    assert "imagelab generate run=run" in said.out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Samples</h2>" in page
    assert "Fréchet distance between real and generated images of val" in page
    assert "Means over the last fifth of the run, of metrics on val" in page
    assert "curves smoothed" not in page
    kept = sorted(file.name for file in (tmp_path / "run" / "images" / "samples").iterdir())
    assert kept == [f"epoch_{epoch:04d}.png" for epoch in (1, 2, 3, 4)]
