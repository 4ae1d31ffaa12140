"""Snapshots: whole checkpoints at the ends of the schedule's cycles, whatever a step is made of."""

import pytest
import torch

import imagelab
from imagelab.checkpoints.durable import read
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from tests.runs_of_the_command import assert_same
from tests.trick.averaging import recorded, resumed

# 4 batches an epoch: 12 steps, of which the cycles end after 4 and 12.
WORDS = [
    "trick=[snapshots]",
    "schedule=cosine_restarts",
    "schedule.first_cycle=0.3333333",
    "trainer.max_epochs=3",
]


def weights(file) -> dict:
    """The network's weights in a checkpoint."""
    state = read(file)["state_dict"]
    return {name.removeprefix("net."): value for name, value in state.items() if name.startswith("net.")}


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ([], [4, 12]),
        (["schedule.multiplier=1"], [4, 8, 12]),
        (["schedule.first_cycle=0.25", "schedule.multiplier=1"], [3, 6, 9, 12]),
        (["schedule.first_cycle=0.6", "schedule.multiplier=1"], [8]),  # the second cycle does not end
        (["schedule.warmup=2", "schedule.first_cycle=0.5", "schedule.multiplier=1"], [7, 12]),
        (["trainer.accumulate_grad_batches=3", "schedule.first_cycle=0.5", "schedule.multiplier=1"], [3, 6]),
    ],
)
def test_snapshots_are_the_weights_after_the_last_step_of_each_cycle(words, ends, tmp_path):
    parts, steps = recorded([*WORDS, *words], tmp_path)
    files = sorted((tmp_path / "checkpoints").glob("snapshot_*"))
    assert [file.name for file in files] == [f"snapshot_{n}.ckpt" for n in range(1, len(ends) + 1)]
    for file, end in zip(files, ends, strict=True):
        assert_same(weights(file), steps[end - 1])
    scales = [parts.classifier.schedule.scale(step, parts.classifier.step_plan) for step in range(len(steps))]
    assert [end for end in ends if end < len(steps)] == [
        step
        for step in range(1, len(steps))
        if scales[step] > scales[step - 1] and step > parts.classifier.schedule.warmup_steps(len(steps))
    ]


def test_a_snapshot_can_be_loaded_by_itself_and_holds_no_optimizer_state(tmp_path):
    parts, steps = recorded(WORDS, tmp_path)
    file = tmp_path / "checkpoints" / "snapshot_1.ckpt"
    content = torch.load(file, weights_only=True)
    assert {"optimizer_states", "callbacks"}.isdisjoint(content)
    predictor = imagelab.load(file)
    assert_same(dict(predictor.net.state_dict()), steps[3])
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    assert predictor(images).sum(1).tolist() == pytest.approx([1, 1])
    assert predictor.classes == parts.data.classes


@pytest.mark.parametrize("at", [3, 5])
def test_a_resumed_run_writes_the_same_snapshots(at, tmp_path):
    recorded([*WORDS, "model.dropout=0.3"], tmp_path / "whole", copy_at=at)
    resumed([*WORDS, "model.dropout=0.3"], tmp_path / "again", tmp_path / "whole" / "copy.ckpt")
    left = {file.name for file in (tmp_path / "again" / "checkpoints").glob("snapshot_*")}
    assert left == {f"snapshot_{n}.ckpt" for n in (1, 2) if [4, 12][n - 1] > at}
    for name in left:
        files = (tmp_path / which / "checkpoints" / name for which in ("whole", "again"))
        whole, again = map(weights, files)
        assert_same(whole, again)


@pytest.mark.parametrize(
    ("words", "ends"), [([], [8]), (["schedule=cosine", "trainer.accumulate_grad_batches=3"], [4])]
)
def test_every_few_epochs_with_any_schedule(words, ends, tmp_path):
    often = ["trick=[snapshots]", "schedule=step", "trick.snapshots.every=2", "trainer.max_epochs=3"]
    _, steps = recorded([*often, *words], tmp_path)
    files = sorted((tmp_path / "checkpoints").glob("snapshot_*"))
    assert [file.name for file in files] == [f"snapshot_{n}.ckpt" for n in range(1, len(ends) + 1)]
    for file, end in zip(files, ends, strict=True):
        assert_same(weights(file), steps[end - 1])


def test_a_schedule_without_cycles_is_refused():
    found = validate.problems(plain(compose("train", ["trick=[snapshots]", "schedule=cosine"]).cfg))
    assert found == [
        "trick.snapshots: needs a schedule with cycles, and Cosine has none; "
        "set schedule=cosine_restarts, or trick.snapshots.every=EPOCHS"
    ]
