"""The loss of soft targets: the formula of the paper, its gradient, and half precision."""

import math

import pytest
import torch

from imagelab.loss.soft_targets import soft_loss

STUDENT = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -2.0]], dtype=torch.float64)
TEACHER = torch.tensor([[0.5, 0.0, -1.0], [1.0, 3.0, 0.0]], dtype=torch.float64)


def softened(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(one / temperature) for one in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_it_is_the_divergence_of_softened_probabilities_times_the_square_of_the_temperature(temperature):
    rows = zip(STUDENT.tolist(), TEACHER.tolist(), strict=True)
    pairs = [(softened(mine, temperature), softened(theirs, temperature)) for mine, theirs in rows]
    each = [sum(q * math.log(q / p) for p, q in zip(mine, theirs, strict=True)) for mine, theirs in pairs]
    wanted = temperature**2 * sum(each) / 2
    assert soft_loss(STUDENT, TEACHER, temperature, tags=False).item() == pytest.approx(wanted, abs=1e-6)
    assert soft_loss(STUDENT.float(), TEACHER.float(), temperature, tags=False).item() == pytest.approx(
        wanted, abs=1e-6
    )


def test_of_tags_it_is_the_mean_over_all_answers():
    temperature, each = 2.0, []
    for mine, theirs in zip(STUDENT.flatten().tolist(), TEACHER.flatten().tolist(), strict=True):
        p, q = (1 / (1 + math.exp(-one / temperature)) for one in (mine, theirs))
        each.append(q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)))
    wanted = temperature**2 * sum(each) / 6
    assert soft_loss(STUDENT, TEACHER, temperature, tags=True).item() == pytest.approx(wanted, abs=1e-6)


def test_at_high_temperatures_gradients_are_those_of_matching_centred_logits():
    """The paper's equation 4: with T^2 the gradient tends to (z - v) / K for logits of mean 0."""
    student = (STUDENT - STUDENT.mean(dim=1, keepdim=True)).requires_grad_()
    teacher = TEACHER - TEACHER.mean(dim=1, keepdim=True)
    soft_loss(student, teacher, 1e4, tags=False).backward()
    assert student.grad is not None
    torch.testing.assert_close(2 * student.grad, (student.detach() - teacher) / 3, atol=1e-3, rtol=0)


def test_half_precision_is_computed_in_full():
    half = soft_loss(STUDENT.bfloat16(), TEACHER.bfloat16(), 4.0, tags=False)
    assert half.dtype == torch.float32
    whole = soft_loss(STUDENT.bfloat16().double(), TEACHER.bfloat16().double(), 4.0, tags=False)
    assert half.item() == pytest.approx(whole.item(), rel=1e-4)
