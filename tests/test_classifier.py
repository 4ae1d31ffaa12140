"""What a training run does, by its numbers."""

import csv
import time

import pytest
import torch
from torch import nn

from tests.fitting import SHORT, built, fitted


def weights(parts):
    return {name: value.clone() for name, value in parts.classifier.state_dict().items()}


def differing(one, other):
    return [name for name in one if not torch.equal(one[name], other[name])]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    words = [*SHORT, "augment=[flip,crop,mixup]", "model.dropout=0.3"]
    first, second = (weights(fitted(words, tmp_path / name)) for name in "ab")
    assert differing(first, second) == []
    assert differing(first, weights(fitted([*words, "seed=1"], tmp_path / "c"))) != []


def test_accumulated_batches_step_as_one_batch_even_in_the_short_last_window(tmp_path):
    # 5 batches of 24 in windows of 2: steps of 48, 48, 24 images. GroupNorm: batch statistics differ.
    words = [
        "trainer=cpu",
        "trainer.max_epochs=1",
        "data.limit=140",
        "model.norm=group",
        "optimizer=sgd",
        "optimizer.weight_decay=0",
        "schedule=constant",
        "optimizer.lr=0.5",
        "data.val_fraction=0.15",
    ]
    parts = built([*words, "data.batch_size=24", "trainer.accumulate_grad_batches=2"], tmp_path / "ours")
    before = {name: value.clone() for name, value in parts.classifier.net.named_parameters()}
    batches = [
        parts.data.prepare_batch(batch, train=True, rank=0)
        for batch in parts.data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    ]
    assert len(batches) == 5
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.trainer.global_step == 3
    reference = built([*words, "data.batch_size=24"], tmp_path / "reference").classifier.net
    reference.load_state_dict(before)
    for window in (batches[:2], batches[2:4], batches[4:]):
        images, targets = (torch.cat([batch[i] for batch in window]) for i in (0, 1))
        reference.zero_grad()
        nn.functional.cross_entropy(reference(images), targets).backward()
        with torch.no_grad():
            for parameter in reference.parameters():
                parameter -= 0.5 * parameter.grad
    for name, parameter in parts.classifier.net.named_parameters():
        torch.testing.assert_close(parameter, reference.get_parameter(name), rtol=1e-4, atol=1e-6)


def test_the_rate_of_every_step_follows_the_schedule(tmp_path):
    words = [
        "trainer=cpu",
        "trainer.max_epochs=3",
        "data.limit=300",
        "data.batch_size=40",
        "trainer.log_every_n_steps=1",
        "schedule=cosine",
        "schedule.warmup=4",
        "schedule.floor=0.1",
        "optimizer.lr=0.02",
    ]
    parts = fitted(words, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    rates = [float(row["lr/decay"]) for row in rows if row["lr/decay"]]
    steps = parts.trainer.global_step
    assert len(rates) == steps
    schedule, step_plan = parts.classifier.schedule, parts.classifier.step_plan
    assert rates == pytest.approx([0.02 * schedule.scale(s, step_plan) for s in range(steps)], rel=1e-12)
    assert rates[0] == pytest.approx(0.02 / 5)
    assert [int(row["step"]) for row in rows if row["lr/decay"]] == list(range(1, steps + 1))


def test_clipping_bounds_the_gradient(tmp_path):
    parts = built(
        [
            *SHORT,
            "trainer.gradient_clip_val=0.01",
            "optimizer=sgd",
            "optimizer.weight_decay=0",
            "optimizer.lr=1",
            "schedule=constant",
            "data.batch_size=full",
        ],
        tmp_path,
    )
    before = {name: value.clone() for name, value in parts.classifier.net.named_parameters()}
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    moved = torch.cat(
        [(value - before[name]).detach().flatten() for name, value in parts.classifier.net.named_parameters()]
    )
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_the_rate_grows_with_the_effective_batch(tmp_path):
    words = [*SHORT, "optimizer.lr=0.1", "optimizer.lr_base_batch=32", "trainer.accumulate_grad_batches=2"]
    for rule, expected in {"linear": 0.4, "sqrt": 0.2, "none": 0.1}.items():
        parts = built([*words, f"optimizer.lr_scaling={rule}"], tmp_path / rule)
        assert parts.classifier.groups[0]["lr"] == pytest.approx(expected)


def test_metrics_of_mixed_batches_use_hard_labels(tmp_path):
    parts = fitted([*SHORT, "augment=[mixup]", "trainer.max_epochs=2"], tmp_path)
    images = parts.data.eval_loader("val", rank=0, ranks=1)
    right = count = 0
    with torch.inference_mode():
        for batch in images:
            inputs = parts.data.prepare_batch(batch, train=False, rank=0)
            right += int((parts.classifier.eval()(inputs.images).argmax(1) == batch.labels).sum())
            count += len(batch.labels)
    assert float(parts.trainer.callback_metrics["val/accuracy"]) == pytest.approx(right / count)


def test_a_compiled_network_keeps_the_names_of_its_weights(tmp_path):
    names = built(SHORT, tmp_path / "plain").classifier.state_dict().keys()
    compiled = built([*SHORT, "trainer.compile=true"], tmp_path / "compiled").classifier
    assert compiled.net._compiled_call_impl is not None
    assert compiled.state_dict().keys() == names


def test_channels_last_changes_the_layout_of_weights_and_images_not_the_outputs(tmp_path):
    plain = built(["trainer=cpu", "seed=3"], tmp_path / "a").classifier.eval()
    last = built(["trainer=cpu", "seed=3", "model.channels_last=true"], tmp_path / "b").classifier.eval()
    seen = []
    last.net.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(last(images), plain(images), rtol=1e-4, atol=1e-5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_any_module_named_by_its_path_is_trained(tmp_path):
    words = [
        *SHORT,
        "model._target_=tests.test_classifier.Perceptron",
        "++model.width=16",
        "~model.widths",
        "~model.kernel_size",
    ]
    parts = fitted(words, tmp_path)
    assert type(parts.classifier.net).__name__ == "Perceptron"
    assert sum(p.numel() for p in parts.classifier.net.parameters()) == 64 * 16 + 16 + 16 * 10 + 10


class Perceptron(nn.Module):
    """A network that knows nothing of this project."""

    def __init__(self, width: int, num_classes: int = 10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, num_classes)
        )
        self.layers(torch.zeros(1, 64))

    def forward(self, images):
        return self.layers(images)


def has_bf16() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AMX") or torch.cpu._is_avx512_bf16_supported()


@pytest.mark.skipif(not has_bf16(), reason="this CPU has neither AMX nor AVX512-bf16: bf16 is emulated")
def test_bf16_with_channels_last_is_faster_than_fp32(tmp_path):
    words = [
        "trainer=cpu",
        "model=resnet9",
        "model.width=32",
        "data.size=32",
        "data.limit=144",
        "data.batch_size=64",
        "trainer.max_epochs=2",
    ]
    seconds = {}
    for name, more in {
        "fp32": [],
        "bf16": ["trainer.precision=bf16-mixed", "model.channels_last=true"],
    }.items():
        parts = built([*words, *more], tmp_path / name)
        began = time.process_time()
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
        seconds[name] = time.process_time() - began
    assert seconds["bf16"] < seconds["fp32"]
