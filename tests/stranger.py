"""Classes as someone adds them who touches no file of the package: each says in its own lines what it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm.optim
import torch.optim as optim
from lightning import Callback
from lightning.pytorch import callbacks
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.finetune.strategy import HeadFirst
from imagelab.schedule import Progress, Schedule
from imagelab.sweep.random_search import Random  # room: sweep
from imagelab.trick.weight_average import WeightAverage


class Blend:
    """Halves of two neighbours in the batch."""

    mixes_labels = True

    def mix(self, images: Tensor, targets: Tensor, rng: Any) -> tuple[Tensor, Tensor]:
        return (images + images.roll(1, 0)) / 2, (targets + targets.roll(1, 0)) / 2


class Latest(WeightAverage):
    """The mean of the last two weights, from the first epoch on."""

    averages_weights = "latest"
    averages_from_start = True

    def is_due(self, trainer: Any, batch_idx: int) -> bool:
        return True

    def blend(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        for mine, theirs in zip(averaged, current, strict=True):
            mine.lerp_(theirs, 0.5)


class Pairs:
    """Both views of an image shall have like features."""

    takes, views, kept = "", 2, 1
    predicts = ""
    compares_batch = True

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        return [""] * len(targets)

    def head(self, features: int) -> nn.Module:
        return nn.Linear(features, 2)

    def loss(self, net: Any, batch: Inputs) -> Tensor:
        first, second = net(batch.images).chunk(2)
        return (first - second).square().mean() - first.var(0).clamp(max=1).mean()

    def correct(self, outputs: Tensor, batch: Inputs) -> None: ...

    def outputs(self, net: Any, batch: Inputs) -> tuple[Tensor, Tensor]:
        first, second = net(batch.images).chunk(2)
        return (first - second).square().mean(1, keepdim=True), batch.index[: len(first)]

    def metrics(self, outputs: Tensor, places: Tensor) -> dict[str, Tensor]:
        return {"loss": outputs.mean()}


class Search(optim.SGD):
    """Says by itself that it searches along a line."""

    line_search = True


class MyLBFGS(optim.LBFGS):
    """Says nothing: it is built on a class that does."""


class MyLamb(timm.optim.Lamb):
    """Says nothing either."""


class MyStopping(callbacks.EarlyStopping):
    """As wrong on resume as the class that it is built on."""


class Waves(Schedule):
    """Four falls."""

    has_cycles = True

    def curve(self, at: Progress) -> float:
        return 1 - self.cycles(at.t) % 1

    def cycles(self, t: float) -> float:
        return 4 * t


class Ramp(Schedule):
    """One fall; its class says nothing of cycles."""

    def curve(self, at: Progress) -> float:
        return 1 - at.t


class MyLoss(nn.CrossEntropyLoss):
    """Says nothing: it is built on a loss of which the chance level is known."""


class Fresh:
    """Trains without the weights that the model asks for."""

    from_scratch: bool = True


class Clip(Callback):
    """Clips."""

    clips_gradients = True


class Grow(Callback):
    """Doubles the batches of a step halfway."""

    grows_batches = True

    def windows(self, window: int, epochs: int) -> list[int]:
        return [window * (1 + (2 * epoch >= epochs)) for epoch in range(epochs)]

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        trainer.accumulate_grad_batches = pl_module.step_plan.window(trainer.current_epoch)


class Watch(Callback):
    """Looks at layers, labels and the noise of batches, at the end of each cycle."""

    watches_layers = needs_mean_loss = needs_noise = True
    needs_classes = True


class Harvest(Callback):
    """Wants to know when cycles end."""

    needs_cycles = True


class Sees(Callback):
    """Passes images through the network by itself."""

    needs_images = True


def _made() -> type:
    return type("Hidden", (optim.LBFGS,), {})


Hidden = _made()  # no source tells what it is built on


class Common(Callback):
    """At the top of a diamond."""

    clips_gradients = False


class Left(Common): ...


class Right(Common):
    clips_gradients = True


class Diamond(Left, Right):
    """Clips, as Python looks it up: Right comes before Common."""


class Misspelt(Callback):
    """Says a fact in the wrong type."""

    averages_weights = True


class Signs(optim.Optimizer):
    """Steps by the sign of the gradient."""

    def __init__(self, params: Any, *, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(weight.grad.sign(), alpha=group["lr"])
        return loss


class Lines(CSVLogger):
    """A logger that needs the run's folder."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(save_dir=folder, name="", version="lines")


@dataclass(frozen=True, kw_only=True)
class LastTwo(HeadFirst):
    """Trains the head, then the stage before it."""

    def starts(self, stages: int, epochs: int) -> list[int | None]:
        return [*[None] * (stages - 2), self.joined(epochs), 0]


class Halves(Random):  # room: sweep
    """Halves each range again and again."""

    def overrides(self, number: int) -> dict[str, str] | None:
        if number >= self.trials:
            return None
        return {key: one.draw(0.5 ** (number + 1)) for key, one in self.ranges.items()}
