"""Seconds per phase are where training was slowed down, add up to all of it, and continue on resume."""

from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Callback

from imagelab import classifier
from imagelab.training import phase_timer
from imagelab.training.phase_timer import PHASES, TimeSpent, shares
from imagelab.training.stop import Stopped
from tests.fitting import SHORT, built

SLEPT = 0.05  # seconds a batch


class StopAfter(Callback):
    """Stops the run after so many steps, as a kill would."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.steps:
            raise Stopped(15)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, *_: object, **__: object) -> None:
        self.now += SLEPT


def spent(folder, monkeypatch, *, slow: str) -> tuple[dict[str, float], int]:
    clock, called = Clock(), Callback()
    for module in (phase_timer, classifier):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    parts = built([*SHORT, "trainer.max_epochs=4"], folder)
    watch = parts.trainer.callbacks[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(watch, TimeSpent)
    if slow == "loading":
        fetch: Any = parts.data.on_after_batch_transfer
        pause = lambda: clock.sleep() if parts.trainer.training else None  # noqa: E731
        parts.data.on_after_batch_transfer = lambda *args: pause() or fetch(*args)  # pyright: ignore
    else:
        setattr(called, slow, clock.sleep)
        parts.trainer.callbacks.append(called)  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return watch.shares(clock.now), watch.batches


# A callback that comes after the watch counts to what comes next.
PLACES = {"loading": "loading", "on_before_backward": "backward", "on_after_backward": "optimizer"}
PLACES |= {"on_before_optimizer_step": "optimizer", "on_train_batch_end": "rest"}
PLACES |= {"on_validation_batch_end": "validation"}


@pytest.mark.parametrize(("slow", "phase"), PLACES.items())
def test_slow_phases_get_the_seconds(slow, phase, tmp_path, monkeypatch):
    found, batches = spent(tmp_path, monkeypatch, slow=slow)
    assert batches == 12
    assert found[phase] >= batches * SLEPT - 1e-9
    assert [value for name, value in found.items() if name != phase] == [0] * len(PHASES)


def test_the_phases_add_up_to_the_whole_training(tmp_path):
    parts = built([*SHORT, "trainer.max_epochs=3"], tmp_path)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    found = parts.trainer.callbacks[0].shares(parts.saver.seconds)  # pyright: ignore[reportAttributeAccessIssue]
    assert list(found) == [*PHASES, "rest"]
    assert sum(found.values()) == pytest.approx(parts.saver.seconds, abs=0.01)
    assert all(value > 0 for value in found.values())


def test_a_run_resumed_within_an_epoch_counts_only_its_own_seconds(tmp_path):
    words = [*SHORT, "trainer.max_epochs=2", "save_every=0"]
    parts = built(words, tmp_path)
    parts.trainer.callbacks.append(StopAfter(2))  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Stopped):
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
    again = built(words, tmp_path)
    last = tmp_path / "checkpoints" / "last.ckpt"
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=last)
    found = again.trainer.callbacks[0].seconds  # pyright: ignore[reportAttributeAccessIssue]
    assert again.trainer.global_step == 6
    assert 0 < sum(found.values()) <= again.saver.seconds + 0.01


def test_a_resumed_run_continues_the_sums():
    watch, later = TimeSpent(), TimeSpent()
    watch.seconds |= {"loading": 2.0, "forward": 3.0}
    later.load_state_dict(watch.state_dict())
    later.seconds["loading"] += 1
    assert later.shares(10)["loading"] == 3
    assert later.shares(10)["rest"] == 4
    assert watch.seconds["loading"] == 2


def test_on_a_gpu_steps_are_sampled_and_only_waiting_that_is_not_hidden_counts():
    state = {
        "seconds": dict.fromkeys(PHASES, 0.0) | {"loading": 5.0, "validation": 1.0},
        "batches": 100,
        "sampled": {"forward": 0.1, "backward": 0.2, "optimizer": 0.05, "batches": 5},
    }
    assert shares(state, 10) == {
        "loading": 2.0,
        "forward": 2.0,
        "backward": 4.0,
        "optimizer": 1.0,
        "validation": 1.0,
        "rest": 0.0,
    }
