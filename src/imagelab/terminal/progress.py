"""The progress bar: epoch, loss, validation metrics, rate and time left; one permanent line per epoch."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from lightning import Callback, LightningModule, Trainer
from rich.live import Live
from rich.text import Text

from imagelab.terminal import screen
from imagelab.terminal.summary import pace

PAUSE = 0.25  # seconds between two reads of the loss, which is on the device
LOSS = "val/loss"
NARROWEST = 10  # characters of a bar for which a metric is left out


class ProgressBar(Callback):
    """Redraw a bar by the clock, not by the step, and print a line after each epoch; first rank only.

    A terminal shows both, a pipe or a file only the lines. The loss comes from the module's `running_loss()`.

    Args:
        shown: Names of the metrics to show, such as "val/accuracy"; a line adds the validation loss.
    """

    def __init__(self, *, shown: Sequence[str]) -> None:
        self.shown = tuple(name for name in dict.fromkeys(shown) if name != LOSS)
        self.live: Live | None = None
        self.due = float("inf")  # when the bar is redrawn next
        self.warm: tuple[float, int] | None = None  # clock and batches done after the first batch here
        self.began, self.now = 0.0, 0.0  # the clock at the epoch's start and after its latest batch
        self.images, self.first = 0, 0  # images per batch, all ranks; the epoch's first batch here

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        terminal = screen.terminal
        if trainer.is_global_zero and terminal.is_terminal and not terminal.is_dumb_terminal:
            screen.clear()
            self.live = Live(console=terminal, auto_refresh=False, transient=True)
            self.live.start()
            self.due = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = time.monotonic()
        self.images = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.now = now = time.monotonic()
        if not self.images:
            self.images = len(batch[0]) * trainer.world_size
            self.first = batch_idx
            self.warm = self.warm or (now, _batches_done(trainer, batch_idx))
        if now >= self.due:
            self._draw(trainer, pl_module, batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            last = int(trainer.num_training_batches) - 1
            screen.say(self._words(trainer, pl_module, last, (LOSS, *self.shown)))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _draw(self, trainer: Trainer, module: LightningModule, batch_idx: int) -> None:
        if self.live is None:
            return
        room = screen.terminal.width - 3  # with the ^C that a terminal may add
        for names in (self.shown, ()):  # if there is little room: the last epoch's line has the metrics
            words = self._words(trainer, module, batch_idx, names, step=True)
            if len(words) + 2 + NARROWEST <= room:
                break
        width = max(0, room - len(words) - 2)  # the words matter more than the bar
        shown = bar((batch_idx + 1) / int(trainer.num_training_batches), width)
        shown.append(f"  {words}" if width else words).truncate(room)
        self.live.update(shown, refresh=True)
        self.due = time.monotonic() + PAUSE

    def _words(
        self,
        trainer: Trainer,
        module: LightningModule,
        batch_idx: int,
        shown: Sequence[str],
        step: bool = False,
    ) -> str:
        loss = module.running_loss()  # pyright: ignore[reportCallIssue] - ours has it
        found = trainer.callback_metrics
        return line(
            epoch=trainer.current_epoch + 1,
            epochs=trainer.max_epochs or 0,
            step=_step(trainer, batch_idx) if step else None,
            metrics={"loss": loss} | {name: float(found[name]) for name in shown if name in found},
            rate=self.images * (batch_idx + 1 - self.first) / max(self.now - self.began, 1e-9),
            left=self._left(trainer, batch_idx),
        )

    def _left(self, trainer: Trainer, batch_idx: int) -> float | None:
        """Seconds to the end of the last epoch, at the pace since the first batch."""
        done = _batches_done(trainer, batch_idx)
        batches = int(trainer.num_training_batches)
        if self.warm is None or done <= self.warm[1] or not trainer.max_epochs or trainer.max_epochs < 0:
            return None
        each = (time.monotonic() - self.warm[0]) / (done - self.warm[1])
        return each * (trainer.max_epochs * batches - done)

    def _stop(self) -> None:
        if self.live is not None:
            self.live.stop()
        self.live = None
        self.due = float("inf")


def line(
    *,
    epoch: int,
    epochs: int,
    metrics: dict[str, float],
    rate: float,
    left: float | None,
    step: tuple[int, int] | None = None,
) -> str:
    """Describe an epoch in one line.

    >>> line(epoch=3, epochs=20, metrics={"loss": 0.12345, "val/accuracy": 0.9912}, rate=12345.6, left=67.2)
    'epoch  3/20  loss 0.1235  val/accuracy 0.9912  12,346 images/s  eta 0:01:07'
    >>> line(epoch=1, epochs=2, metrics={}, rate=0.0625, left=None, step=(4, 10))
    'epoch 1/2  step  4/10  0.062 images/s  eta -:--:--'
    """
    shown = "".join(f"  {name} {value:.4f}" for name, value in metrics.items())
    eta = "-:--:--" if left is None else timedelta(seconds=round(left))
    at = f"  step {_of(*step)}" if step else ""
    return f"epoch {_of(epoch, epochs)}{at}{shown}  {pace(rate)}  eta {eta}"


def bar(share: float, width: int) -> Text:
    """A line of `width` characters, the first `share` of it bright and bold: with colours and without."""
    full = round(share * width)
    done, rest = "━·" if (screen.terminal.encoding or "").lower().startswith("utf") else "#."
    return Text.assemble((done * full, "green"), (rest * (width - full), "bright_black"))


def _of(one: int, count: int) -> str:
    """A place among so many, as wide as the last one."""
    return f"{one:>{len(str(count))}}/{count}"


def _step(trainer: Trainer, batch_idx: int) -> tuple[int, int]:
    """The optimizer step within the epoch that a batch belongs to, from 1, and their number."""
    window = trainer.accumulate_grad_batches
    batches = int(trainer.num_training_batches)
    return batch_idx // window + 1, -(-batches // window)


def _batches_done(trainer: Trainer, batch_idx: int) -> int:
    return trainer.current_epoch * int(trainer.num_training_batches) + batch_idx + 1
