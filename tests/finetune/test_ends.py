"""The first and the last layer first, then everything."""

import pytest
import torch

from imagelab.finetune.ends import Ends
from imagelab.finetune.full import Full
from tests.fitting import SHORT, built, fitted

COMMON = {"decay": 0.5, "rewarm": 0.5, "norm": "train"}


def ends(**changes):
    return Ends(**({"new": False, "head_epochs": 0.3} | COMMON | changes))


@pytest.mark.parametrize(
    ("stages", "epochs", "starts"),
    [(5, 10, [0, 3, 3, 3, 0]), (2, 10, [0, 0]), (1, 10, [0]), (3, 1, [0, None, 0])],
)
def test_the_middle_waits(stages, epochs, starts):
    assert ends().starts(stages, epochs) == starts


def test_both_ends_train_at_the_full_rate_and_the_middle_more_slowly():
    assert [ends().factor(distance, 4) for distance in range(4)] == [1, 0.5, 0.25, 1]


def test_with_a_rate_of_its_own_the_head_alone_is_fast():
    full = Full(scale=0.1, head_rate=1.0, norm="train")
    assert [full.factor(distance, 3) for distance in range(3)] == [1, 0.1, 0.1]


def weights_of(net):
    return {name: value.clone() for name, value in net.state_dict().items() if name.endswith("weight")}


@pytest.mark.parametrize("new", [False, True])
def test_a_run_begins_with_new_ends_if_asked_and_trains_only_them_at_first(new, tmp_path):
    trained = fitted([*SHORT, "optimizer.lr=0.01"], tmp_path / "first")
    before = weights_of(trained.classifier.net)
    words = [
        *SHORT,
        f"model.weights={tmp_path / 'first'}",
        "finetune=ends",
        f"finetune.new={str(new).lower()}",
    ]
    words += ["trainer.max_epochs=2", "finetune.head_epochs=1", "trainer.limit_train_batches=1"]
    parts = built(words, tmp_path / "second")
    start = weights_of(parts.classifier.net)
    changed = {name for name, value in start.items() if not torch.equal(value, before[name])}
    assert changed == ({"features.0.weight", "head.weight"} if new else set())
    seen = []
    original = parts.classifier.on_train_epoch_start

    def noted():
        original()
        seen.append({name for name, one in parts.classifier.net.named_parameters() if one.requires_grad})

    parts.classifier.on_train_epoch_start = noted
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert {name.partition(".weight")[0] for name in seen[0] if "weight" in name} >= {"features.0", "head"}
    assert not any(name.startswith("features.4") for name in seen[0])
    assert len(seen[1]) == len(list(parts.classifier.net.parameters()))
