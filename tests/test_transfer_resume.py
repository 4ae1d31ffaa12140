"""A run stopped in any phase of unfreezing and resumed ends bit-identically."""

from pathlib import Path

import pytest
from lightning import Callback

from tests.fitting import fitted
from tests.runs_of_the_command import assert_same
from tests.trick.averaging import SMALL, built, last, resumed

WORDS = [
    "model.widths=[8,8,16]",
    "schedule=step",
    "schedule.every=2",
    "schedule.gamma=0.5",
    "schedule.warmup=3",
    "trainer.max_epochs=4",
    "trick=[ema]",
    "augment=[crop]",
    "finetune.rewarm=0.75",
]
STRATEGIES = {
    "gradual": ["finetune=gradual"],
    "two_phase": ["finetune=two_phase", "finetune.head_epochs=2", "finetune.norm=frozen"],
}
STEPS = 4  # of an epoch


class Copies(Callback):
    """A copy of the checkpoint after some steps."""

    def __init__(self, steps: list[int]) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer, pl_module, *_):
        if trainer.global_step in self.steps:
            trainer.save_checkpoint(copy(Path(trainer.default_root_dir), trainer.global_step))


def copy(folder: Path, step: int) -> Path:
    return folder / f"{step}.ckpt"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_stopped_in_any_phase_ends_like_an_uninterrupted_one(strategy, tmp_path):
    fitted([*SMALL, *WORDS[:1], "trainer.max_epochs=1"], tmp_path / "trained")
    words = [*STRATEGIES[strategy], *WORDS, f"model.weights={tmp_path / 'trained'}"]
    steps = [1, STEPS + 1, 2 * STEPS + 2, 3 * STEPS] if strategy == "gradual" else [STEPS + 2, 2 * STEPS + 1]
    whole = tmp_path / "whole"
    parts = built([*SMALL, *words], whole)
    parts.trainer.callbacks.append(Copies(steps))  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert parts.trainer.global_step == 4 * STEPS
    assert last(whole)["averages"]  # room: trick/ema
    for step in steps:
        resumed(words, tmp_path / "again", copy(whole, step))
        assert_same(last(whole), last(tmp_path / "again"), f"after step {step}")
