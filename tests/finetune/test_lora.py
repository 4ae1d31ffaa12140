"""Low-rank adaptation: starts at the pretrained function, trains what it should, leaves a plain network."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import imagelab
from imagelab.checks.optimizer import holds_parameters  # room: checks
from imagelab.checks.prepare import prepare  # room: checks
from imagelab.checks.steps import frozen  # room: checks
from imagelab.config.compose import compose, plain
from imagelab.config.rules.combinations import problems
from imagelab.finetune.adapters import Adapters, adapted_names
from imagelab.loading import from_checkpoint
from imagelab.low_rank import KEY
from imagelab.problem import Problem
from tests.config.rules.test_tasks import composed
from tests.fitting import built, fitted
from tests.trick.watching import SMALL, assert_same_bits, watched

NET = [*SMALL, "logger=[]", "model.widths=[8,12,16]"]
LORA = [*NET, "finetune=lora", "finetune.rank=2", "finetune.alpha=4", "trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> str:
    """The word for weights to start from."""
    folder = tmp_path_factory.mktemp("start")
    fitted([*NET, "trainer.max_epochs=2"], folder)
    return f"model.weights={folder}"


def adapters_of(parts: Any) -> Adapters:
    return parts.classifier.adapters


def test_a_step_is_that_of_two_matrices_beside_the_weight():
    torch.manual_seed(0)
    net: Any = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 5)).double()
    names = adapted_names(net, ["2.weight", "2.bias"], None, 2)
    assert names == ["0.weight"]
    mine = Adapters(net, names, rank=2, alpha=6, seed=0)
    weight, kernel, up, down = mine.of["0.weight"]
    assert torch.equal(weight, kernel)
    with torch.no_grad():
        up.normal_()
    mine.merge()
    images = torch.randn(7, 3, 4, 4, dtype=torch.float64)
    for _ in range(2):  # two batches of a step
        (net(images).square().sum() / 2).backward()
        mine.project()
    parts = [part.detach().clone().requires_grad_() for part in (up, down)]
    # The layers of the paper: the frozen one, and beside it a convolution to 2 channels, then one of 1 x 1.
    low = functional.conv2d(images, parts[1].view(2, 3, 3, 3))
    beside = functional.conv2d(low, parts[0].view(8, 2, 1, 1)) * (6 / 2)
    outputs = net[2](net[1](functional.conv2d(images, kernel, net[0].bias) + beside))
    torch.testing.assert_close(net(images), outputs)
    outputs.square().sum().backward()
    for one, other in zip((up, down), parts, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_it_starts_at_the_pretrained_function_and_trains_as_many_values_as_the_formula_says(start, tmp_path):
    parts: Any = built([*LORA, start], tmp_path)
    plain = built([*NET, start], tmp_path / "plain")
    images = parts.data.sample(8)
    assert torch.equal(parts.classifier.eval()(images), plain.classifier.eval()(images))
    net = parts.classifier.net
    kernels: list[Any] = [layer.weight for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert len(kernels) == 3
    head = sum(one.numel() for one in [*net.parameters()][-2:])
    wanted = sum(2 * (kernel.shape[0] + kernel[0].numel()) for kernel in kernels) + head
    assert wanted == 2 * ((8 + 9) + (12 + 72) + (16 + 108)) + 170
    held = [one for group in parts.classifier.groups for one in group["params"]]
    assert sum(one.numel() for one in held) == wanted
    assert parts.classifier.stage_rows()[-1].parameters == wanted - head


def test_all_but_the_head_and_the_adapted_weights_keeps_its_bits(start, tmp_path):
    words = [*LORA, start, "model.dropout2d=0.3", "optimizer.weight_decay=0.1"]
    parts: Any = built(words, tmp_path)
    before = {name: value.clone() for name, value in parts.classifier.net.state_dict().items()}
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    adapters = adapters_of(parts)
    changed = {
        name for name, value in parts.classifier.net.state_dict().items() if not value.equal(before[name])
    }
    head = set(parts.classifier.moves[-1].stage.parameters)
    assert changed == head | adapters.of.keys()
    for name, (weight, pretrained, up, down) in adapters.of.items():
        assert torch.equal(pretrained, before[name])
        change = (weight - pretrained).flatten(1)
        torch.testing.assert_close(change, 4 / 2 * up @ down, atol=1e-6, rtol=0)
        assert torch.linalg.matrix_rank(up @ down) == 2
        assert change.norm() > 0


def test_the_checkpoint_is_that_of_a_plain_network(start, tmp_path):
    parts: Any = fitted([*LORA, start, "trick=[ema]"], tmp_path / "lora")
    plain = fitted([*NET, "trainer.max_epochs=1"], tmp_path / "plain")
    saved = torch.load(tmp_path / "lora" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["state_dict"].keys() == plain.classifier.state_dict().keys()
    assert saved[KEY].keys() == adapters_of(parts).of.keys()
    predictor = imagelab.load(tmp_path / "lora" / "checkpoints" / "last.ckpt")
    assert all("parametriz" not in name for name, _ in predictor.net.named_modules())
    images = parts.data.sample(8)
    raw = from_checkpoint(saved, "raw").net(images)
    classifier = parts.classifier.eval()
    torch.testing.assert_close(raw, classifier(images), atol=1e-5, rtol=0)
    with torch.no_grad():  # as adapters beside the pretrained weights compute it
        for weight, pretrained, up, down in adapters_of(parts).of.values():
            weight.copy_(pretrained + 4 / 2 * (up @ down).view(weight.shape))
    torch.testing.assert_close(raw, classifier(images), atol=1e-5, rtol=0)


@pytest.mark.parametrize("more", [[], ["trainer.precision=bf16-mixed"]])
def test_stopped_in_an_epoch_it_goes_on_to_the_same_bits(more, start, tmp_path):
    words = [*LORA, start, "trainer.max_epochs=2", "trick=[sam,ema]", *more]
    whole = watched(words, tmp_path / "whole", copy_at=5)
    copy = tmp_path / "whole" / "copy.ckpt"
    card = torch.load(copy, weights_only=True)["imagelab"]
    parts = built(words, tmp_path / "resumed", known=card)
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=copy)
    assert_same_bits(whole, parts)
    for name, one in adapters_of(whole).of.items():
        assert all(map(torch.equal, one, adapters_of(parts).of[name])), name


def test_check_expects_adapted_weights_to_change(start, tmp_path):  # room: checks
    words = [*LORA, start, "data.limit=60"]
    subject = prepare(plain(compose("train", words).cfg or {}), tmp_path, seconds=1)
    assert (frozen(subject).status, frozen(subject).value) == ("OK", "0 of 15 changed")
    assert holds_parameters(subject).status == "OK"
    other = prepare(plain(compose("train", [*words, "finetune.rank=1"]).cfg or {}), tmp_path, seconds=1)
    vars(other.classifier)["adapters"].of.pop("features.4.weight")
    assert frozen(other).status == "OK"  # a weight without matrices rests


def test_targets_choose_weights_by_their_names(start, tmp_path):
    parts = built([*LORA, start, "finetune.targets=[features.4]"], tmp_path)
    assert [*adapters_of(parts).of] == ["features.4.weight"]
    with pytest.raises(Problem, match=r"finetune\.targets: no weight before the head has 'qvk' in its name"):
        built([*LORA, start, "finetune.targets=[qvk]"], tmp_path)
    with pytest.raises(
        Problem, match="no weight before the head that is larger than two matrices of rank 99"
    ):
        built([*LORA, start, "finetune.rank=99"], tmp_path)


def test_attention_has_adapters_too():
    import timm

    net: Any = timm.create_model("test_vit", num_classes=3)
    names = adapted_names(net, ["head.weight", "head.bias"], ["qkv", "proj"], 4)
    assert "blocks.0.attn.qkv.weight" in names
    mine = Adapters(net, names, rank=4, alpha=4, seed=0)
    net(torch.randn(2, 3, 160, 160)).sum().backward()
    mine.project()
    assert all(one.up.grad is not None and one.up.grad.norm() > 0 for one in mine.of.values())
    assert adapted_names(nn.Sequential(nn.MultiheadAttention(8, 2)), [], None, 2) == [
        "0.in_proj_weight",
        "0.out_proj.weight",
    ]


def test_what_looks_at_whole_gradients_or_swaps_weights_is_refused():
    words = ["finetune=lora", "model.weights=x"]
    found = "\n".join(problems(composed(*words, "trick=[agc]")))
    assert "trick.agc: clips the gradients of whole weights" in found
    found = "\n".join(problems(composed(*words, "optimizer=schedule_free")))
    assert "optimizer: AdamWScheduleFree" in found
