"""The denoising autoencoder: its decoder, its noise, and that it learns to rebuild."""

import pytest
import torch

from imagelab.contracts import Inputs
from imagelab.problem import Problem
from imagelab.task.autoencoder import Autoencoder
from tests.fitting import built, fitted

WORDS = ["task=autoencoder", "trainer=cpu", "task.width=32"]


def autoencoder(**changes):
    return Autoencoder(**{"noise": 0.3, "width": 64, "in_channels": 3, "size": 32} | changes)


def inputs(images: torch.Tensor, first: int = 0) -> Inputs:
    places = torch.arange(first, first + len(images))
    return Inputs(images=images, targets=places, labels=places, index=places)


@pytest.mark.parametrize(("size", "channels", "width"), [(8, 1, 64), (30, 3, 8), (3, 3, 1), (65, 4, 20)])
def test_the_decoder_makes_all_pixels_of_an_image_from_its_features(size, channels, width):
    head = autoencoder(size=size, in_channels=channels, width=width).head(10)
    assert head(torch.zeros(2, 10)).shape == (2, channels * size * size)
    values = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
    images = head(values).reshape(5, channels, size, size)
    assert images.std(dim=0).min() > 0  # no pixel is left out


def test_the_loss_is_the_mean_squared_error_to_the_clean_image():
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    blank = autoencoder().loss(lambda noisy: torch.zeros(6, 3 * 32 * 32), inputs(images))
    torch.testing.assert_close(blank, images.square().mean())
    same = autoencoder().loss(lambda noisy: noisy.flatten(1), inputs(images))
    assert float(same) == pytest.approx(0.3**2, rel=0.05)  # of what was added


def test_the_noise_of_a_val_image_is_its_own_and_always_the_same():
    images, seen = torch.zeros(40, 3, 32, 32), []

    def net(noisy: torch.Tensor) -> torch.Tensor:
        seen.append(noisy)
        return noisy.flatten(1)

    task = autoencoder(noise=0.5)
    whole, _ = task.outputs(net, inputs(images))
    parts = [task.outputs(net, inputs(images[at : at + 8], at))[0] for at in range(0, 40, 8)]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert float(seen[0].std()) == pytest.approx(0.5, rel=0.02)
    assert abs(float(seen[0].mean())) < 0.01
    assert abs(float((seen[0][0] * seen[0][1]).mean())) < 0.02  # of two images: unlike
    torch.testing.assert_close(task.metrics(whole, torch.arange(40))["loss"], whole.mean())


def test_it_rebuilds_digits_far_better_than_the_mean_image(tmp_path):
    parts = fitted([*WORDS, "trainer.max_epochs=4", "data.batch_size=32"], tmp_path)
    history = [row["val/loss"] for row in parts.classifier.history]
    train, val = (parts.data.preprocess(parts.data.splits[name].images) for name in ("train", "val"))
    mean = (val - train.mean(dim=0)).square().mean()
    assert history[-1] < 0.4 * float(mean)
    assert history[-1] < 0.5 * history[0]
    assert parts.saver.best["monitor"] == "val/loss"
    assert set(parts.saver.best["metrics"]) == {"val/loss", "train/loss"}


def test_a_network_that_ends_in_a_convolution_is_refused(tmp_path):
    words = ["model=torchvision", "model.name=squeezenet1_1", "data.size=32", "data.limit=200"]
    with pytest.raises(Problem, match=r"task: .* SqueezeNet ends in a convolution; choose another model"):
        built([*WORDS, *words], tmp_path)
