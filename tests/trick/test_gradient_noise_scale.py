"""The noise scale against the exact one of per-sample gradients, and its error against made gradients."""

import csv
import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

from imagelab.build import Parts
from imagelab.data.arrays import Arrays
from imagelab.trick.gradient_noise_scale import (
    GradientNoiseScale,
    Scale,
    half_gradients,
    noise_scale,
    quotient,
    sentence,
    signal_and_noise,
)
from tests.trick.watching import trick_of, watched

SETUP = ["data.batch_size=128", "data.limit=1000", "model.widths=[8,16]", "optimizer.lr=0.01"]
SETUP += ["schedule=constant"]


def made(rng: np.random.Generator, looks: int, *, images: int, spread: float) -> list[tuple[float, float]]:
    """Looks at Gaussian gradients of 300 weights: |G|^2 = 1, tr(S) = 300 * spread^2."""
    true, half = np.full(300, 300**-0.5), images // 2
    halves = true + rng.normal(0, spread / half**0.5, (looks, 2, 300))
    tensors = torch.from_numpy(halves)
    return [signal_and_noise([one[0]], [one[1]], images=images) for one in tensors]


def exact(net: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """tr(S) / |G|^2 of all images, from a gradient for each."""
    weights = {name: weight.detach() for name, weight in net.named_parameters()}
    buffers = dict(net.named_buffers())

    def loss(weights, image, label):
        logits = functional_call(net, (weights, buffers), (image[None],))
        return torch.nn.functional.cross_entropy(logits, label[None])

    found = [
        vmap(grad(loss), (None, 0, 0))(weights, *part)
        for part in zip(images.split(100), labels.split(100), strict=True)
    ]
    each = torch.cat([torch.cat([one.flatten(1) for one in part.values()], 1) for part in found]).double()
    noise = each.var(dim=0).sum()
    return float(noise / (each.mean(dim=0).square().sum() - noise / len(each)))


def test_two_halves_give_unbiased_estimates_of_both_terms():
    looks = np.array(made(np.random.default_rng(0), 2000, images=32, spread=0.5))
    assert looks[:, 0].mean() == pytest.approx(1, abs=4 * looks[:, 0].std() / 2000**0.5)
    assert looks[:, 1].mean() == pytest.approx(300 * 0.25, rel=0.01)


def test_the_error_matches_the_spread_around_the_truth():
    rng, truth = np.random.default_rng(1), 300 * 0.25
    scales = [quotient(made(rng, 60, images=64, spread=0.5)) for _ in range(150)]
    values = np.array([scale.value for scale in scales])
    errors = np.array([scale.error for scale in scales])
    assert np.median(values) == pytest.approx(truth, rel=0.03)
    assert np.median(errors) == pytest.approx(values.std(), rel=0.2)
    assert 0.9 < np.mean(np.abs(values - truth) < 2 * errors) <= 0.99
    assert np.mean([scale.least < truth for scale in scales]) > 0.9


def test_resolved_scales_are_right_and_noisy_ones_are_reported_as_such():
    rng = np.random.default_rng(2)
    for images, few in ((64, False), (16, False), (2, True)):
        truth = 300 * 0.5**2
        scales = [noise_scale(made(rng, 250, images=images, spread=0.5)) for _ in range(24)]
        values = np.array([scale.value for scale in scales if scale.resolved])
        assert (len(values) < 4) == few
        assert few or np.mean(np.abs(values / truth - 1) < 0.25) > 0.9
        assert np.mean([scale.least < truth for scale in scales]) >= 0.9


def test_the_fewest_measurements_that_resolve_the_scale_are_used():
    old, new = [(1.0, 900.0 + i % 2) for i in range(200)], [(1.0, 100.0 + i % 2) for i in range(40)]
    assert noise_scale(old + new)[0] == pytest.approx(100.5)
    assert noise_scale(new)[-1] == 40
    assert not noise_scale(new[1:]).resolved


def looked_at(parts: Parts, epochs: int) -> list[tuple[float, float]]:
    """What looks at every batch of some epochs find, the weights being held."""
    module, data, found = parts.classifier, parts.data, []
    module.train()
    for epoch in range(epochs):
        for batch in data.train_loader(epoch=epoch, start=0, rank=0, ranks=1):
            inputs = data.prepare_batch(batch, train=True, rank=0)
            halves = half_gradients(parts.trainer, module, inputs)
            found.append(signal_and_noise(*halves, images=len(inputs.images)))
    return found


@pytest.mark.parametrize("norm", ["none", "frozen"])
def test_within_a_quarter_of_the_exact_scale_of_per_sample_gradients(norm, tmp_path):
    parts = watched([*SETUP, f"model.norm={norm}", "trainer.max_epochs=7"], tmp_path)  # warmed up
    images = parts.data.splits["train"]
    assert isinstance(images, Arrays)
    pixels, labels = parts.data.preprocess(images.images), torch.from_numpy(images.labels)
    truth = exact(parts.classifier.net.train(), pixels, labels)
    scale = noise_scale(looked_at(parts, epochs=14))
    assert scale.resolved
    assert scale.value == pytest.approx(truth, rel=0.25)


def test_it_is_logged_with_its_error_and_printed_at_the_end(tmp_path, capsys):
    words = [
        *SETUP,
        "trick=[gradient_noise_scale]",
        "trick.gradient_noise_scale.every=1",
        "model.norm=frozen",
    ]
    parts = watched([*words, "trick.gradient_noise_scale.start=0.3", "trainer.max_epochs=9"], tmp_path)
    looks = list(trick_of(parts, GradientNoiseScale).looks)
    assert len(looks) == parts.trainer.global_step - math.ceil(0.3 * parts.trainer.global_step)
    scale, rows = noise_scale(looks), list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert (
        float([row for row in rows if row["gradient_noise/signal"]][-1]["gradient_noise/signal"])
        == looks[-1][0]
    )
    logged = [row for row in rows if row.get("gradient_noise_scale")]
    assert bool(logged) == scale.resolved
    said = f"{scale.value:.3g} ±" if scale.resolved else f"above {scale.least:.3g} images; a step has 128"
    assert said in capsys.readouterr().out


def test_short_runs_say_what_is_missing(tmp_path, capsys):
    words = ["trick=[gradient_noise_scale]", "trick.gradient_noise_scale.every=1", "trainer.max_epochs=2"]
    watched([*words, "trick.gradient_noise_scale.start=0.5"], tmp_path)
    assert "not resolved: 4 of at least 40 measurements" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("batch", "words"),
    [(8, "larger batches would save"), (70, "about right"), (400, "smaller batches would take hardly more")],
)
def test_the_sentence_advises_on_the_batch_size(batch, words):
    text = sentence(Scale(74.0, 9.0, 60.0, 100), batch)
    assert "74 ± 9 images" in text
    assert words in text
