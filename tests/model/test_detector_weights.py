# room: detection
"""A detector starts from another run: bit for bit, or a sentence says what to set."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imagelab.config.compose import compose
from imagelab.model.detector import Detector
from imagelab.model.network import build_net
from imagelab.problem import Problem

DIGITS = [str(digit) for digit in range(10)]
DETNET = ["model.backbone=detnet", "model.backbone_args={width: 8, depths: [1, 1, 1, 1, 1]}"]
CNN = ["model.backbone=small_cnn", "model.backbone_args={widths: [8, 8, 16], kernel_size: 3}"]
# The words of a classifier, those of a detector on it, and the layers that make its maps.
PAIRS = {
    "detnet": (
        ["model=detnet", "model.width=8", "model.depths=[1,1,1,1,1]"],
        [*DETNET, "model.levels=[3,4,5]"],
        ["layer2", "layer3", "layer4"],
    ),
    "timm": (
        ["model=timm", "model.name=resnet10t"],
        ["model.backbone=resnet10t", "model.levels=[3,4]"],
        ["layer2", "layer3"],
    ),
    "flattened": (
        ["model=timm", "model.name=convnext_atto"],
        ["model.backbone=convnext_atto", "model.levels=[3,4]"],
        ["stages.1", "stages.2"],
    ),
    "torchvision": (
        ["model=torchvision", "model.name=shufflenet_v2_x0_5"],
        ["model.backbone=shufflenet_v2_x0_5", "model.levels=[3,4]"],
        ["stage2", "stage3"],
    ),
    "own": (
        ["model=small_cnn", "model.widths=[8,8,16]"],
        [*CNN, "model.levels=[1,2]"],
        ["features.6", "features.10"],
    ),
}


def network(*words: str, classes: list[str] = DIGITS) -> nn.Module:
    composed = compose("train", [*words])
    assert composed.cfg is not None, composed.problems
    return build_net(composed.cfg["model"], classes, 1, 64, seed=0)


def trained(*words: str) -> nn.Module:
    """A network whose weights and statistics are those of no new one."""
    net = network(*words)
    torch.manual_seed(1)
    with torch.no_grad():
        for value in [*net.parameters(), *net.buffers()]:
            if value.is_floating_point():
                value += 0.1 * torch.rand_like(value)
    return net


def save(net: nn.Module, path: Path, words: list[str], **card: object) -> str:
    """The word that starts from a checkpoint as a run writes one."""
    composed = compose("train", words)
    assert composed.cfg is not None
    state = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    known = {"model": composed.cfg["model"], "predicts": "classes", "classes": DIGITS} | card
    torch.save({"state_dict": state, "imagelab": known}, path)
    return f"model.weights={path}"


def outputs(net: nn.Module, layers: list[str], images: Tensor) -> list[Tensor]:
    seen: dict[str, Tensor] = {}
    for name in layers:
        net.get_submodule(name).register_forward_hook(
            lambda _, __, made, name=name: seen.update({name: made})
        )
    net.eval()(images)
    return [seen[name] for name in layers]


@pytest.mark.parametrize("norm", ["default", "frozen"])
@pytest.mark.parametrize("pair", [name for name in PAIRS if name != "flattened"])
def test_the_maps_of_the_backbone_are_those_of_the_classifier_bit_for_bit(pair, norm, tmp_path):
    words, over, layers = PAIRS[pair]
    given = save(trained(*words), tmp_path / "run.ckpt", words)
    same_maps(words, over, layers, [given, f"model.norm={norm}"])


def test_so_are_those_of_a_network_whose_stages_timm_flattens(tmp_path):
    words, over, layers = PAIRS["flattened"]
    same_maps(words, over, layers, [save(trained(*words), tmp_path / "run.ckpt", words)])


def same_maps(words: list[str], over: list[str], layers: list[str], given: list[str]) -> None:
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        made = network("task=detect", *over, *given).get_submodule(Detector.trunk).eval()(images)
        wanted = outputs(network(*words, *given), layers, images)
    assert all(torch.equal(one, other) for one, other in zip(made, wanted, strict=True))
    assert not torch.equal(made[0], outputs(network(*words), layers, images)[0])


def refusal(net: list[str], given: str) -> str:
    with pytest.raises(Problem) as caught:
        network("task=detect", *net, given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_network_that_does_not_fit_is_a_sentence_with_the_words_that_do(tmp_path):
    words, over, _ = PAIRS["detnet"]
    given = save(network(*words), tmp_path / "run.ckpt", words)
    said = refusal([*CNN, "model.levels=[1,2]"], given)
    assert said.startswith(f"{given} does not fit this backbone: of its weights, ")
    assert "are missing there (net.features.0.weight," in said
    assert said.endswith(f"As in that run, set {DETNET[0]} '{DETNET[1]}'.")
    assert network("task=detect", *over, given)
    wider = ["model.backbone=detnet", "model.backbone_args={width: 16, depths: [1, 1, 1, 1, 1]}"]
    assert "differ in shape (conv1.weight: (8, 1, 7, 7) there, (16, 1, 7, 7) here," in refusal(wider, given)


def test_a_network_of_a_library_or_with_another_norm_is_named_in_the_sentence(tmp_path):
    words = [*PAIRS["timm"][0], "model.norm=group"]
    given = save(network(*words), tmp_path / "run.ckpt", words)
    ends = "As in that run, set model.backbone=resnet10t model.norm=group."
    assert refusal(["model.backbone=resnet10t"], given).endswith(ends)
    assert network("task=detect", "model.backbone=resnet10t", "model.norm=group", given)
    plain = save(network(*PAIRS["timm"][0]), tmp_path / "plain.ckpt", PAIRS["timm"][0])
    assert "running_mean" in refusal(["model.backbone=resnet10t", "model.norm=group"], plain)


def test_a_detector_of_the_same_classes_is_taken_whole_and_of_others_without_its_heads(tmp_path, caplog):
    words = ["task=detect", "model=faster_rcnn", "model.width=32", "model.hidden=32"]
    old = trained(*words)
    given = save(old, tmp_path / "run.ckpt", words, predicts="boxes")
    new, fresh = network(*words, given).state_dict(), network(*words, classes=["a", "b"]).state_dict()
    assert all(torch.equal(value, new[name]) for name, value in old.state_dict().items())
    with caplog.at_level(logging.WARNING, logger="imagelab"):
        other = network(*words, given, classes=["a", "b"]).state_dict()
    assert "the heads start from scratch; that run has other classes" in caplog.text
    for name, value in other.items():
        whence = old.state_dict() if name.startswith("pyramid.") else fresh
        assert torch.equal(value, whence[name]), name
