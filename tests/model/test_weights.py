"""Starting from the weights of another run."""

import logging

import pytest
import torch
from torch import nn

from imagelab.model.norm import set_norm
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.weights import load_weights
from imagelab.problem import Problem


def small_cnn(num_classes=10, widths=(8, 16)):
    return SmallCNN(num_classes=num_classes, in_channels=1, widths=widths, kernel_size=3)


def save(net, path):
    """A checkpoint as a run writes one: the network's weights beside others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({"state_dict": state | {"loss.weight": torch.ones(10)}, "epoch": 3}, path)
    return path


@pytest.fixture
def run(tmp_path):
    """The folder of a run, and the network it trained."""
    net = small_cnn()
    for buffer in net.buffers():
        buffer.add_(1)
    save(net, tmp_path / "digits" / "checkpoints" / "best.ckpt")
    return tmp_path / "digits", net


@pytest.mark.parametrize("inside", ["", "checkpoints/best.ckpt"])
def test_every_weight_and_statistic_is_copied_from_a_folder_or_a_file(run, inside):
    folder, trained = run
    net = small_cnn()
    assert load_weights(net, folder / inside) == []
    state = net.state_dict()
    for name, tensor in trained.state_dict().items():
        assert torch.equal(state[name], tensor) or name.endswith("num_batches_tracked")


def test_the_head_starts_from_scratch_for_other_classes_and_says_so(run, caplog):
    folder, trained = run
    net = small_cnn(num_classes=3)
    before = net.head.weight.clone()
    with caplog.at_level(logging.WARNING, logger="imagelab"):
        assert load_weights(net, folder) == ["head.weight", "head.bias"]
    assert torch.equal(net.head.weight, before)
    assert torch.equal(net.state_dict()["features.0.weight"], trained.state_dict()["features.0.weight"])
    assert "head.weight, head.bias start from scratch for 3 classes; the checkpoint has 10" in caplog.text


def test_the_head_starts_from_scratch_for_as_many_other_classes_and_stays_for_the_same(run, caplog):
    folder, trained = run
    file = folder / "checkpoints" / "best.ckpt"
    content, digits = torch.load(file, weights_only=True), [str(digit) for digit in range(10)]
    torch.save(content | {"imagelab": {"classes": digits}}, file)
    net = small_cnn()
    assert load_weights(net, folder, digits) == []
    assert torch.equal(net.head.weight, trained.head.weight)
    net = small_cnn()
    before = net.head.weight.clone()
    with caplog.at_level(logging.WARNING, logger="imagelab"):
        assert load_weights(net, folder, list("abcdefghij")) == ["head.weight", "head.bias"]
    assert torch.equal(net.head.weight, before)
    assert torch.equal(net.state_dict()["features.0.weight"], trained.state_dict()["features.0.weight"])
    assert "that run has other classes (0, 1, 2, not a, b, c)" in caplog.text
    assert load_weights(small_cnn(), folder, digits[::-1]) == ["head.weight", "head.bias"]


def test_a_frozen_network_starts_from_a_plain_one(run):
    folder, trained = run
    net = small_cnn()
    set_norm(net, "frozen")
    load_weights(net, folder)
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(net(images), trained.eval()(images))


def test_grey_weights_start_a_colour_network_with_the_same_responses_and_back(run, tmp_path):
    folder, trained = run
    colour = SmallCNN(num_classes=10, in_channels=3, widths=[8, 16], kernel_size=3)
    assert load_weights(colour, folder) == []
    grey = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(colour.eval()(grey.expand(-1, 3, -1, -1)), trained.eval()(grey))
    state = {f"net.{name}": tensor for name, tensor in colour.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "colour.ckpt")
    back = small_cnn()
    load_weights(back, tmp_path / "colour.ckpt")
    torch.testing.assert_close(back.eval()(grey), trained(grey))


def refusal(net, path):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(Problem) as caught:
        load_weights(net, path)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_other_widths_are_refused_with_the_first_shapes(run):
    sentence = refusal(small_cnn(widths=(4, 16)), run[0])
    assert "does not fit this SmallCNN" in sentence
    assert (
        "6 differ in shape (features.0.weight: (8, 1, 3, 3) there, (4, 1, 3, 3) here, features.1" in sentence
    )
    assert "here, and 3 more). Set the model.* keys as in that run." in sentence


def test_layers_that_either_network_lacks_are_named_and_counted(run):
    sentence = refusal(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), run[0])
    assert "2 are missing there (1.weight, 1.bias)" in sentence
    assert (
        "12 are unknown here (features.0.weight, features.1.weight, features.1.bias, and 9 more)" in sentence
    )


def test_another_norm_is_another_network(run):
    net = small_cnn()
    set_norm(net, "group")
    assert "4 are unknown here (features.1.running_mean" in refusal(net, run[0])


def test_a_wrong_path_is_refused_with_the_nearest(run):
    assert f"there is no {run[0]}s; did you mean '{run[0]}'?" in refusal(small_cnn(), f"{run[0]}s")
    wrong = run[0] / "checkpoint" / "best.ckpt"
    assert f"did you mean '{run[0] / 'checkpoints'}'?" in refusal(small_cnn(), wrong)


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    assert "there is no checkpoints/best.ckpt in that folder" in refusal(small_cnn(), tmp_path)


def test_a_truncated_checkpoint_is_refused(run):
    file = run[0] / "checkpoints" / "best.ckpt"
    file.write_bytes(file.read_bytes()[:-200])
    assert str(file) in refusal(small_cnn(), run[0])


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    torch.save({"weights": torch.ones(2)}, tmp_path / "other.ckpt")
    assert "is not a checkpoint of a run: it has no state_dict" in refusal(
        small_cnn(), tmp_path / "other.ckpt"
    )
