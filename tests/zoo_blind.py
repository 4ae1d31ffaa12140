# room: checks
"""Twenty mistakes from people's notes on training, written down before the checks had been read.

A check that finds one of them may be any; which one is not asked.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from imagelab.checks.subject import Subject
from imagelab.data.image_data import ImageData
from imagelab.model.activation import is_activation
from tests.zoo_bugs import Sorted, data_becomes, rate_times, wrap
from tests.zoo_data import Zeros, augmented_by
from tests.zoo_model import Ascends, sudden
from tests.zoo_parts import DropsOn, Probabilities

Plant = Callable[[Subject], None]
AUGMENTED = ("augment=[flip]",)


def drawn_with(deviation: float) -> Plant:
    def plant(subject: Subject) -> None:
        rng = torch.Generator().manual_seed(0)
        for one in subject.classifier.net.parameters():
            if one.ndim > 1:
                one.data.copy_(deviation * torch.randn(one.shape, generator=rng))

    return plant


class Unscaled(nn.Module):
    """Dropout without the division by 1 - p."""

    def __init__(self, before):
        super().__init__()
        self.before = before

    def forward(self, values):
        values = self.before(values)
        return functional.dropout(values, 0.5) * 0.5 if self.training else values


def activations_become(make: Callable[[nn.Module], nn.Module]) -> Plant:
    def plant(subject: Subject) -> None:
        net = subject.classifier.net
        for name in [name for name, layer in net.named_modules() if is_activation(layer)]:
            net.set_submodule(name, make(net.get_submodule(name)))

    return plant


class WithoutRoot(torch.optim.Optimizer):
    """RMSprop that divides by the mean square instead of its root."""

    def __init__(self, groups):
        super().__init__(groups, {"lr": 0.001})

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    square = self.state[one].setdefault("square", torch.zeros_like(one))
                    square.mul_(0.9).addcmul_(one.grad, one.grad, value=0.1)
                    one.sub_(group["lr"] * one.grad / (square + 1e-8))
        return loss


def optimizer_is(make: Callable) -> Plant:
    def plant(subject: Subject) -> None:
        subject.classifier.make_optimizer = make

    return plant


class ValRawScale(ImageData):
    """Normalised in training, not in validation: values from 0 to 1."""

    def prepare_batch(self, batch, *, train, rank):
        made = super().prepare_batch(batch, train=train, rank=rank)
        if train:
            return made
        std, mean = (torch.tensor(v)[:, None, None] for v in (self.preprocess.std, self.preprocess.mean))
        return made._replace(images=made.images * std + mean)


def zoomed(images, keys):
    """A crop of an eighth of each side."""
    side = images.shape[-1]
    part = images[..., : max(1, side // 8), : max(1, side // 8)].float()
    return functional.interpolate(part, size=side, mode="bilinear").to(torch.uint8)


def half_turned(images, keys):
    which = keys % 2 == 0
    return torch.where(which[:, None, None, None], images.rot90(2, (-2, -1)), images)


def jittered(images, keys):
    """Brightness between black and white."""
    shift = (keys.abs() % 1000).float()[:, None, None, None] / 500 - 1
    return (images.float() + 400 * shift).clamp(0, 255).to(torch.uint8)


def never_shuffled(subject: Subject) -> None:
    data_becomes(subject, Sorted)


def swapped_betas(subject: Subject) -> None:
    subject.classifier.make_optimizer = lambda groups: torch.optim.Adam(groups, lr=0.001, betas=(0.999, 0.9))
    for group in subject.classifier.groups:
        group["lr"] = 0.001


def strong_decay(subject: Subject) -> None:
    for group in subject.classifier.groups:
        group["weight_decay"] = 10.0


def ascends(subject: Subject) -> None:
    subject.classifier.__class__ = Ascends


BLIND: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "weights drawn with a deviation of 1e-4": (drawn_with(1e-4), ()),
    "weights drawn with a deviation of 1": (drawn_with(1.0), ()),
    "dropout without the division by 1 - p": (activations_become(Unscaled), ()),
    "dropout stays on in prediction": (lambda s: wrap(s, DropsOn), ()),
    "the optimizer adds the gradient": (ascends, ()),
    "RMSprop without the root": (optimizer_is(WithoutRoot), ()),
    "Adam's betas swapped": (swapped_betas, ()),
    "weight decay of 10": (strong_decay, ()),
    "rate scaled by the batch twice, 256 times": (rate_times(256.0), ()),
    "half of the images turned round, or cropped to an eighth": (lambda s: None, AUGMENTED),
    "brightness between black and white": (augmented_by(jittered), AUGMENTED),
    "val not normalised": (lambda s: data_becomes(s, ValRawScale), ()),
    "sigmoid in place of ReLU": (activations_become(lambda _: nn.Sigmoid()), ()),
    "a batch of one with BatchNorm": (lambda s: None, ("data.batch_size=1", "model.norm=batch")),
    "softmax at the end": (lambda s: wrap(s, Probabilities), ()),
    "images sorted by class": (never_shuffled, ()),
    "label smoothing of 0.9": (lambda s: None, ("loss.label_smoothing=0.9",)),
    "rate falls tenfold at each step": (sudden, ()),
    "images cast to zeros": (lambda s: data_becomes(s, Zeros), ()),
    "a network of width 1": (lambda s: None, ("model.widths=[1,1,1]",)),
}


def plant(name: str, subject: Subject) -> None:
    """Plant a mistake; what depends on the images is turned for digits and cropped for photos."""
    if name.startswith("half of the images"):
        digits = subject.data.in_channels == 1
        augmented_by(half_turned if digits else zoomed)(subject)
    BLIND[name][0](subject)
