# room: checks
"""A loss is compared with its own chance level, and each kind of broken loss is called by its name."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from imagelab.checks.chance import levels, lowest
from imagelab.checks.loss import loss_at_init, loss_function
from tests.zoo import DIGITS, subject
from tests.zoo_bugs import Negative, SoftmaxLoss, Summed, loss_is


class Squares(nn.Module):
    def forward(self, outputs, targets):
        return functional.mse_loss(outputs, functional.one_hot(targets, outputs.shape[1]).float())


class RawLikelihood(nn.Module):
    def forward(self, outputs, targets):
        return functional.nll_loss(outputs, targets)


class Clamped(nn.Module):
    def forward(self, outputs, targets):
        return functional.cross_entropy(outputs, targets, reduction="none").clamp(max=2.0).mean()


class BarelyClamped(nn.Module):
    def forward(self, outputs, targets):
        return functional.cross_entropy(outputs, targets, reduction="none").clamp(max=5.0).mean()


def with_loss(kind):
    checked = subject(DIGITS)
    loss_is(kind)(checked)
    return checked


def test_chance_is_the_lowest_loss_of_the_same_outputs_for_all_images():
    labels = torch.tensor([0] * 9 + [1])
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert lowest(nn.CrossEntropyLoss(), labels, 2, alike=True) == pytest.approx(entropy, abs=1e-4)
    assert lowest(Squares(), labels, 2, alike=True) == pytest.approx(0.9 * 0.1, abs=1e-4)
    assert levels(with_loss(Squares)).chance == pytest.approx(0.09, abs=1e-3)


@pytest.mark.parametrize("loss", [nn.MultiMarginLoss, Squares, nn.CrossEntropyLoss])
def test_sound_losses_of_other_sizes_pass(loss):
    checked = with_loss(loss)
    assert [loss_function(checked).status, loss_at_init(checked).status] == ["OK", "OK"]


@pytest.mark.parametrize("words", ["loss=bce", "loss=focal", "loss.label_smoothing=0.2"])
def test_losses_of_the_menu_pass(words):
    checked = subject([*DIGITS, words])
    assert [loss_function(checked).status, loss_at_init(checked).status] == ["OK", "OK"]


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (RawLikelihood, "wants log-probabilities"),
        (Clamped, "clamped"),
        (BarelyClamped, "clamped"),
        (Negative, "wrong sign"),
        (SoftmaxLoss, "a softmax before"),
        (Summed, "batch size"),
    ],
)
def test_a_broken_loss_is_called_by_its_name(loss, words):
    found = loss_function(with_loss(loss))
    assert found.status == "FAIL"
    assert words in found.why
