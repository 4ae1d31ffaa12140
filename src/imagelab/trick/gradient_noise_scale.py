"""Measure the gradient noise scale B = tr(S) / |G|^2: the batch size up to which larger batches save steps.

A batch is split into halves with independent gradients g1 and g2. The mean of g1 * g2 is the squared norm of
the true gradient G; the mean of |g1 - g2|^2 / 2 is the variance of either. That is appendix A.1 with batch
sizes B/2 and B. The ratio of two noisy means is unreliable if measurements are few.

Source: McCandlish et al. 2018, https://arxiv.org/abs/1812.06162, section 2.2, equation 2.9, and appendix A.1.
"""

import math
from collections import deque
from typing import Any, NamedTuple

import torch
from lightning import Callback, Trainer
from torch import Tensor

from imagelab.contracts import Inputs
from imagelab.randomness import seed_step
from imagelab.terminal import screen
from imagelab.training.preserve import preserve_state
from imagelab.training.step_plan import opens_step

NAME = "gradient_noise_scale"
FEWEST, MOST = 40, 640  # measurements to use: as few of the last ones as resolve the scale
VAGUE = 0.125  # largest relative standard error: 95 of 100 such scales are right to within 25%
ERRORS = 2.0  # standard errors between the scale and its lower bound
HALF_SCALE = 1024.0  # factor on the loss if gradients are in float16


class Scale(NamedTuple):
    """The noise scale, in images, with its standard error.

    least: a lower bound, also valid if the scale is not resolved. looks: number of measurements used.
    """

    value: float
    error: float
    least: float
    looks: int

    @property
    def resolved(self) -> bool:
        """Whether there were enough measurements, and the error is small."""
        return self.looks >= FEWEST and 0 < self.error <= VAGUE * self.value


class GradientNoiseScale(Callback):
    """Log `gradient_noise_scale` and `gradient_noise_scale_error` once they are resolved.

    Each measurement is logged as `gradient_noise/signal` and `gradient_noise/noise`. The loss is that of the
    data, without penalties, with the network in training mode: with dropout, and with BatchNorm statistics
    per half, so the scale is that of batches normalised in halves. Each rank measures on its own batches, and
    the results are averaged.

    Args:
        every: Optimizer steps between two measurements, >= 1.
        start: Fraction of the run to skip at its beginning, in [0, 1).
    """

    watches_layers = True
    needs_mean_loss = True
    needs_noise = True

    def __init__(self, *, every: int, start: float) -> None:
        self.every, self.start = every, start
        self.looks: deque[tuple[float, float]] = deque(maxlen=MOST)  # signal and noise
        self.batch = 0  # images per step, at the last measurement

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Inputs, batch_idx: int) -> None:
        # Before the step: afterwards the weights depend on this batch.
        step = trainer.global_step
        late = step >= self.start * pl_module.step_plan.total
        if not (late and step % self.every == 0 and opens_step(trainer, batch_idx)) or len(batch.images) < 2:
            return
        seed_step(pl_module.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        found = signal_and_noise(*half_gradients(trainer, pl_module, batch), images=len(batch.images))
        signal, noise = (pl_module.across_ranks(value) for value in found)
        self.batch = pl_module.step_plan.batch_size(trainer.current_epoch)
        self.looks.append((signal, noise))
        metrics = {"gradient_noise/signal": signal, "gradient_noise/noise": noise}
        scale = noise_scale(list(self.looks))
        if scale.resolved:
            metrics |= {NAME: scale.value, f"{NAME}_error": scale.error}
        pl_module.write(metrics)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        screen.say(sentence(noise_scale(list(self.looks)), self.batch))

    def state_dict(self) -> dict[str, Any]:
        return {"looks": list(self.looks), "batch": self.batch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.looks = deque(map(tuple, state_dict["looks"]), maxlen=MOST)
        self.batch = state_dict["batch"]


def half_gradients(trainer: Trainer, module: Any, batch: Inputs) -> tuple[list[Tensor], list[Tensor]]:
    """The gradients of the mean losses of both halves of a batch; the module is left unchanged."""
    precision = trainer.precision_plugin
    half = len(batch.images) // 2
    factor = HALF_SCALE if str(precision.precision) == "16-mixed" else 1.0
    weights = [weight for weight in module.net.parameters() if weight.requires_grad]
    found = []
    with preserve_state(module):
        for part in (slice(0, half), slice(half, 2 * half)):
            with precision.forward_context():
                loss = module.task.loss(module, Inputs(*(values[part] for values in batch)))
            gradients = torch.autograd.grad(loss * factor, weights, allow_unused=True)
            found.append([one.float() / factor for one in gradients if one is not None])
    return found[0], found[1]


def signal_and_noise(first: list[Tensor], second: list[Tensor], *, images: int) -> tuple[float, float]:
    """Unbiased estimates of |G|^2 and tr(S) from the gradients of two halves of a batch.

    >>> signal_and_noise([torch.tensor([3.0, 1.0])], [torch.tensor([3.0, -1.0])], images=8)
    (8.0, 8.0)

    Args:
        first: Gradient of the mean loss of one half, one tensor per weight.
        second: Gradient of the mean loss of the other half.
        images: Number of images in both halves together.
    """
    signal = torch.stack([(one * other).sum() for one, other in zip(first, second, strict=True)])
    noise = torch.stack([(one - other).square().sum() for one, other in zip(first, second, strict=True)])
    product, square = map(math.fsum, torch.stack([signal, noise]).tolist())  # MPS has no float64
    return product, square / 2 * (images // 2)


def noise_scale(looks: list[tuple[float, float]]) -> Scale:
    """The scale from the fewest last measurements (>= 40) that resolve it, as it changes; else from all."""
    counts = [FEWEST * 2**doubled for doubled in range(4) if FEWEST * 2**doubled < len(looks)]
    tried = (quotient(looks[-count:]) for count in counts)
    return next((scale for scale in tried if scale.resolved), None) or quotient(looks)


def quotient(looks: list[tuple[float, float]]) -> Scale:
    """The mean noise divided by the mean signal, with its jackknife error.

    >>> quotient([(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)])[:2]
    (10.0, 0.0)
    """
    count = len(looks)
    if count < 2:
        return Scale(math.nan, math.nan, math.nan, count)
    signals, noises = torch.tensor(looks, dtype=torch.float64).unbind(1)
    signal, noise = signals.mean().item(), noises.mean().item()
    left_out = (noises.sum() - noises) / (signals.sum() - signals)
    error = ((count - 1) * (left_out - left_out.mean()).square().mean()).sqrt().item()
    most = max(signal + ERRORS * (signals.std() / count**0.5).item(), 1e-30)
    return Scale(noise / signal if signal else math.inf, error, noise / most, count)


def sentence(scale: Scale, batch: int) -> str:
    """Explain a noise scale and give advice, for steps of `batch` images."""
    head = "Gradient noise scale"
    if scale.looks < FEWEST:
        missing = f"{scale.looks} of at least {FEWEST} measurements"
        return f"{head}: not resolved: {missing}; train longer, or lower trick.{NAME}.every."
    if not scale.resolved:
        vague = f"not resolved by {scale.looks} measurements, but above {scale.least:.3g} images"
        return f"{head}: {vague}; a step has {batch}."
    if batch < scale.value / 2:
        advice = "larger batches would save steps nearly in proportion"
    elif batch > 2 * scale.value:
        advice = "smaller batches would take hardly more steps"
    else:
        advice = "that is about right: larger batches would save few steps, smaller ones would take more"
    found = f"{scale.value:.3g} ± {scale.error:.2g} images (last {scale.looks} measurements)"
    return f"{head}: {found}; a step has {batch}: {advice}."
