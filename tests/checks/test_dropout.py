# room: checks
"""Dropout is named where it leaves too little, and where training and evaluation differ in size by it."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from imagelab.checks.dropout import dropout, mean_size
from imagelab.checks.loss import loss_at_init
from imagelab.checks.optimizer import averages
from tests.zoo import DIGITS, KINDS, subject
from tests.zoo_blind import plant

GIVEN = torch.randn(32, 16, 4, 4, generator=torch.Generator().manual_seed(0))


class Halving(nn.Module):
    def forward(self, values):
        return functional.dropout(values, 0.5) * 0.5 if self.training else values


class Noise(nn.Module):
    def forward(self, values):
        return 0.3 * values + torch.randn_like(values) if self.training else values


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Dropout(0.3), 1.0),
        (nn.Dropout(0.98), 1.0),
        (nn.Dropout2d(0.5), 1.0),
        (StochasticDepth(0.4, "row"), 1.0),
        (Halving(), pytest.approx(0.5, abs=0.02)),
        (nn.ReLU(inplace=True), None),
        (Noise(), None),  # leaves nothing out
    ],
)
def test_the_mean_in_training_is_compared_with_evaluation(layer, size):
    torch.manual_seed(0)
    assert mean_size(layer, GIVEN) == size


def test_the_layer_whose_values_are_smaller_in_training_is_named():
    checked = subject([*DIGITS, *KINDS["A"]])
    plant("dropout without the division by 1 - p", checked)
    found = dropout(checked)
    assert (found.status, "0.5" in found.why, "1 - p" in found.fix) == ("FAIL", True, True)


@pytest.mark.parametrize(("rate", "status"), [(0.5, "OK"), (0.95, "WARN")])
def test_a_rate_that_leaves_hardly_anything_is_named(rate, status):
    checked = subject([*DIGITS, f"model.dropout={rate}"])
    found, initial = dropout(checked), loss_at_init(checked)
    assert (found.status, found.value) == (
        status,
        f"at most {rate:.0%} left out".removeprefix("at most " * (rate > 0.9)),
    )
    assert ("model.dropout" in found.fix) == (rate > 0.9)
    assert initial.status == "OK" or "lower model.dropout" in initial.fix


@pytest.mark.parametrize(
    ("betas", "status"), [((0.9, 0.999), "OK"), ((0.95, 0.9), "OK"), ((0.999, 0.9), "FAIL")]
)
def test_averages_of_gradients_must_be_shorter_than_those_of_their_squares(betas, status):
    checked = subject([*DIGITS, "optimizer=adam", f"optimizer.betas=[{betas[0]},{betas[1]}]"])
    assert averages(checked).status == status
