"""The linear classifier."""

import pytest
import torch

from imagelab.model.linear import linear
from imagelab.problem import Problem
from tests.fitting import SHORT, built, fitted


def test_a_logit_is_a_weighted_sum_of_pixels():
    net, images = linear(num_classes=3, in_channels=2, size=4), torch.rand(5, 2, 4, 4)
    weight, bias = net.parameters()
    torch.testing.assert_close(
        net(images), torch.einsum("bchw,kchw->bk", images, weight.view(3, 2, 4, 4)) + bias
    )


def test_it_tells_most_digits_apart_but_fewer_than_the_small_network(tmp_path):
    words = ["trainer=cpu", "model=linear", "trainer.max_epochs=5", "optimizer.lr=0.02", "logger=[]"]
    parts = fitted(words, tmp_path)
    assert 0.8 < float(parts.trainer.callback_metrics["val/accuracy"]) < 0.985


@pytest.mark.parametrize("word", ["model.norm=group", "model.stem=small", "model.stochastic_depth=0.1"])
def test_messages_call_it_by_its_name(word, tmp_path):
    with pytest.raises(Problem, match=r"\bLinear (has|begins)") as raised:
        built([*SHORT, "model=linear", word], tmp_path)
    assert "Sequential" not in str(raised.value)
