"""Two processes that unfreeze a network stage by stage have the same weights as one process."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer

from tests.fitting import fitted
from tests.runs_of_the_command import finish
from tests.trick.averaging import last

WORDS = [
    "finetune=gradual",
    "finetune.norm=frozen",  # statistics of a batch differ between one and two processes by nature
    "model.widths=[8,8,16]",
    "data.classes=[1,2,3,4]",
    "data.limit=150",
    "trainer.precision=64-true",
    "trainer.max_epochs=4",
    "optimizer=momentum",
    "optimizer.lr=0.05",
    "trick=[ema]",
]


class Ranks(Callback):
    """Writes the largest difference between the ranks' weights, and how far they have come, epoch by epoch.

    Args:
        folder: Of the run.
    """

    def __init__(self, *, folder: Path) -> None:
        self.file = folder / "ranks.json"
        self.seen: list[dict[str, float]] = []
        self.first: dict[str, torch.Tensor] = {}

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.first = {name: one.detach().clone() for name, one in pl_module.net.named_parameters()}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        parameters = dict(pl_module.net.named_parameters())
        moved = sum(not torch.equal(parameters[name], self.first[name]) for name in parameters)
        ranks = [pl_module.all_gather(one.detach()) for one in parameters.values()]  # (2, ...) each
        apart = max(float((pair[0] - pair[1]).abs().max()) for pair in ranks)
        self.seen.append({"apart": apart, "moved": moved})
        if trainer.is_global_zero:
            self.file.write_text(json.dumps(self.seen))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    fitted([*WORDS[2:5], "trainer=cpu", "trainer.max_epochs=1"], tmp_path / "trained")
    return f"model.weights={tmp_path / 'trained'}"


def test_ranks_stay_in_sync_through_every_unfreezing_and_equal_one_process(tmp_path, weights):
    words, ranks = [*WORDS, weights], "+trick.ranks._target_=tests.test_transfer_ddp.Ranks"
    two = [*words, ranks, "trainer=ddp_cpu", "data.batch_size=16"]
    finish([*two, f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    fitted([*words, "trainer=cpu", "data.batch_size=32"], tmp_path / "one")
    seen = json.loads((tmp_path / "two" / "ranks.json").read_text())
    assert [epoch["apart"] for epoch in seen] == [0] * 4
    assert [epoch["moved"] for epoch in seen] == [2, 5, 8, 11]
    one, both = last(tmp_path / "one"), last(tmp_path / "two")
    assert one["global_step"] == both["global_step"] >= 16
    for name, values in one["state_dict"].items():
        torch.testing.assert_close(both["state_dict"][name], values, rtol=1e-9, atol=1e-12, msg=name)
    for name, values in one["averages"]["ema"].items():
        torch.testing.assert_close(both["averages"]["ema"][name], values, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["adapters", "teacher"])
def test_two_ranks_with_adapters_or_a_teacher_equal_one_process(how, tmp_path, weights):
    trained = f"{weights.partition('=')[2]}/checkpoints/best.ckpt"
    own = {
        "adapters": ["finetune=lora", "finetune.rank=2", weights],
        "teacher": ["trick=[distill,ema]", "model.norm=none", f"trick.distill.teacher={trained}"],
    }
    words = [*WORDS[2:8], "trainer.max_epochs=2", "augment=[rotate]", *own[how]]
    two = [*words, "trainer=ddp_cpu", "data.batch_size=16"]
    finish([*two, f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    fitted([*words, "trainer=cpu", "data.batch_size=32"], tmp_path / "one")
    one, both = last(tmp_path / "one"), last(tmp_path / "two")
    assert one["global_step"] == both["global_step"] == 8
    assert one["state_dict"].keys() == both["state_dict"].keys()
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(both["state_dict"][name], value, atol=1e-12, rtol=0, msg=name)
