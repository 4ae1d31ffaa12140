"""The progress bar: what it says, on a terminal and in a pipe, and what it costs."""

import io
import re
import statistics
import time
from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule, Trainer
from rich.console import Console
from torch.utils.data import DataLoader, TensorDataset

from imagelab.terminal import progress, screen
from imagelab.terminal.progress import PAUSE, ProgressBar

EPOCHS, BATCHES, BATCH = 3, 8, 16


class Net(LightningModule):
    """A network whose steps take `pause` seconds by its own clock."""

    def __init__(self, pause=0.001, fail_at=None):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        self.pause, self.fail_at, self.asked, self.clock = pause, fail_at, 0, 0.0

    def training_step(self, batch, index):
        self.clock += self.pause
        if self.fail_at == self.global_step:
            raise RuntimeError("failed on purpose")
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, index):
        self.log_dict({"val/loss": 0.5 + self.current_epoch, "val/accuracy": 0.25 * (1 + self.current_epoch)})

    def running_loss(self):
        self.asked += 1
        return 0.125

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(monkeypatch, net, *, terminal, **knobs):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, highlight=False, soft_wrap=True)
    monkeypatch.setattr(screen, "terminal", console)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: net.clock))
    data = TensorDataset(torch.ones(BATCHES * BATCH, 2), torch.zeros(BATCHES * BATCH))
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        callbacks=[ProgressBar(shown=["val/accuracy"])],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
        **knobs,
    )
    loader = DataLoader(data, batch_size=BATCH)
    trainer.fit(net, loader, loader)
    return out.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_an_epoch_leaves_one_line_with_loss_metrics_rate_and_time_left(monkeypatch, terminal):
    out = fit(monkeypatch, Net(pause=0.005), terminal=terminal)
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "\n", out)
    lines = [text for text in plain.splitlines() if text.startswith("epoch")]
    assert len(lines) == EPOCHS
    for epoch, text in enumerate(lines, start=1):
        found = re.fullmatch(
            rf"epoch {epoch}/{EPOCHS}  loss 0\.1250  val/loss (\S+)  val/accuracy (\S+)"
            r"  ([\d,]+) images/s  eta (\d:\d\d:\d\d)",
            text.strip(),
        )
        assert found, text
        assert float(found[1]) == epoch - 0.5
        assert float(found[2]) == 0.25 * epoch
        assert int(found[3].replace(",", "")) == BATCH / 0.005
    assert lines[-1].rstrip().endswith("eta 0:00:00")


def test_a_pipe_gets_no_control_characters(monkeypatch):
    assert "\x1b" not in fit(monkeypatch, Net(), terminal=False)


def test_the_time_left_is_the_pace_since_the_first_batch_times_the_batches_to_come(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: 1000.0)
    monkeypatch.setattr(progress, "time", clock)
    bar, trainer = (
        ProgressBar(shown=["val/accuracy"]),
        SimpleNamespace(current_epoch=1, num_training_batches=50, max_epochs=4),
    )
    trainer.world_size = 1
    bar.on_train_batch_end(trainer, None, None, [torch.zeros(4, 1)], 9)  # type: ignore[arg-type] - resumed here
    assert bar._left(trainer, 9) is None  # type: ignore[arg-type]
    clock.monotonic = lambda: 1030.0
    assert bar._left(trainer, 29) == 30.0 / 20 * (4 * 50 - 80)  # type: ignore[arg-type]
    trainer.current_epoch = 3
    assert bar._left(trainer, 49) == 0  # type: ignore[arg-type]


def test_the_bar_is_redrawn_by_the_clock_and_asks_for_the_loss_only_then(monkeypatch):
    net = Net(pause=0.03)
    out = fit(monkeypatch, net, terminal=True)
    assert EPOCHS + 1 < net.asked <= EPOCHS * BATCHES * 0.03 / PAUSE + EPOCHS + 2
    assert "━" in out


def test_a_redrawn_bar_fits_the_width_of_the_terminal(monkeypatch):
    out = fit(monkeypatch, Net(pause=0.03), terminal=True)
    drawn = [text for text in re.split(r"\x1b\[[\d;?]*[A-Za-z]|[\r\n]", out) if "images/s" in text]
    assert max(map(len, drawn)) < 100


def test_an_error_gives_the_cursor_back(monkeypatch):
    shown = []
    monkeypatch.setattr(Console, "show_cursor", lambda self, show=True: shown.append(show) or True)
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(monkeypatch, Net(fail_at=5), terminal=True)
    assert shown == [False, True]


def test_further_ranks_are_silent(monkeypatch):
    monkeypatch.setattr(Trainer, "is_global_zero", False)
    assert fit(monkeypatch, Net(), terminal=True) == ""


def test_a_step_without_redrawing_costs_less_than_10_microseconds():
    bar, batch = ProgressBar(shown=["val/accuracy"]), [torch.zeros(4, 1)]
    trainer = SimpleNamespace(world_size=1, current_epoch=0, num_training_batches=500)
    costs = []
    for _ in range(20):
        start = time.process_time()
        for index in range(500):
            bar.on_train_batch_end(trainer, None, None, batch, index)  # type: ignore[arg-type]
        costs.append((time.process_time() - start) / 500)
    assert statistics.median(costs) < 10e-6


def test_images_of_all_ranks_count(monkeypatch):
    bar = ProgressBar(shown=[])
    trainer = SimpleNamespace(world_size=2, current_epoch=0, num_training_batches=5)
    bar.on_train_batch_end(trainer, None, None, [torch.zeros(4, 1)], 0)  # type: ignore[arg-type]
    assert bar.images == 8
