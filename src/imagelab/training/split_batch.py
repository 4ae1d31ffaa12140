"""Compute a training batch in parts if memory runs out, each with its own forward and backward pass.

The gradients of the parts add up to those of the batch, as in gradient accumulation.
Source: https://docs.mosaicml.com/projects/composer/en/stable/trainer/automatic_microbatching.html
"""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor, nn

from imagelab.contracts import Inputs, MovesGradients
from imagelab.terminal import screen
from imagelab.terminal.failure import out_of_memory

Loss = Callable[[Inputs], tuple[Tensor, Tensor | None]]


class SplitBatch:
    """Halves the parts whenever memory runs out, and computes the same batch again: no step is lost.

    Statistics of BatchNorm are those of the parts, as with a smaller batch.

    Args:
        halve: Whether to do so; if not, the error ends the run.

    Attributes:
        parts: Number of parts of a batch at present.
        correct: What `compute` said beside the loss, for each part of the last batch.
    """

    def __init__(self, *, halve: bool) -> None:
        self.halve = halve
        self.parts = 1
        self.correct: list[Tensor | None] = []

    def loss(
        self, begin: Callable[[], object], compute: Loss, net: nn.Module, batch: Inputs, *, scale: float
    ) -> Tensor:
        """The mean loss of a batch, a scalar whose gradients are those of its parts.

        Args:
            begin: Called before each attempt, for the random draws.
            compute: Mean loss of some images of a batch, and which of them are right.
            net: Network whose parameters are trained.
            batch: A training batch.
            scale: Factor on gradients of 16 bits, which would vanish otherwise; 1: none.

        Raises:
            torch.OutOfMemoryError: A single image does not fit.
        """
        if not self.halve:
            begin()
            loss, correct = compute(batch)
            self.correct = [correct]
            return loss
        weights = [weight for weight in net.parameters() if weight.requires_grad]
        while True:
            kept = [buffer.clone() for buffer in net.buffers()]
            begin()
            try:
                loss, gradients, self.correct = _in_parts(compute, weights, batch, self.parts, scale)
                return given_gradients(loss, gradients, weights)
            except Exception as error:
                if not out_of_memory(error) or self.parts >= len(batch.images):
                    raise
            for buffer, value in zip(net.buffers(), kept, strict=True):
                buffer.copy_(value)  # what the failed pass has counted
            self._halve(len(batch.images))

    def _halve(self, images: int) -> None:
        gc.collect()  # what the failed pass still holds
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        self.parts *= 2
        most = -(-images // self.parts)
        screen.say(f"Out of memory: from now on each batch is computed in parts of up to {most} images.")


def batch_loss(tricks: Mapping[str, object], *, halve: bool) -> SplitBatch:
    """What computes the loss of a batch, with the trick around it that moves the gradients, if any."""
    inner = SplitBatch(halve=halve)
    moving = next((trick for trick in tricks.values() if isinstance(trick, MovesGradients)), None)
    return moving.around(inner) if moving else inner


def given_gradients(loss: Tensor, gradients: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """A loss, a scalar, whose backward pass gives these gradients to the weights."""
    return _Given.apply(loss, len(gradients), *gradients, *weights)  # pyright: ignore[reportReturnType]


def gradient_scale(trainer: Trainer) -> float:
    """The factor by which a trainer scales gradients of 16 bits; 1 with any other precision."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return 1.0 if scaler is None else float(scaler.get_scale())


class _Given(torch.autograd.Function):
    """A loss whose gradients are known."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, count: int, *tensors: Tensor) -> Tensor:
        ctx.gradients = tensors[:count]
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        nothing = [None] * (2 + len(ctx.gradients))
        return *nothing, *(outer[0] * gradient for gradient in ctx.gradients)


def _in_parts(
    compute: Loss, weights: Sequence[Tensor], batch: Inputs, parts: int, scale: float
) -> tuple[Tensor, list[Tensor], list[Tensor | None]]:
    """The mean loss of a batch, its gradients by weight, and what is right in each part."""
    images = len(batch.images)
    loss = torch.zeros((), device=batch.images.device)
    gradients = [torch.zeros_like(weight) for weight in weights]
    right: list[Tensor | None] = []
    for part in _cut(batch, parts):
        share = len(part.images) / images
        whole, correct = compute(part)
        own = whole * share
        right.append(correct)
        found = torch.autograd.grad(own * scale, weights, allow_unused=True)
        loss += own.detach().float()
        for total, gradient in zip(gradients, found, strict=True):
            if gradient is not None:
                total.add_(gradient, alpha=1 / scale)
        torch.clear_autocast_cache()  # holds casts whose graph is used up
    return loss, gradients, right


def _cut(batch: Inputs, parts: int) -> Iterable[Inputs]:
    return (Inputs(*pieces) for pieces in zip(*(tensor.tensor_split(parts) for tensor in batch), strict=True))
