# room: checks
"""Bugs to plant into the parts of a run, each with the check that has to find it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.checks.subject import Subject
from imagelab.classifier import Classifier
from imagelab.data.arrays import Arrays
from imagelab.data.batches import EvalBatches, TrainBatches
from imagelab.data.image_data import ImageData
from imagelab.data.preprocess import Preprocess
from imagelab.model.head import last_layer
from tests.zoo_parts import (
    Blind,
    Detached,
    Drawing,
    DropsOn,
    Forgetful,
    Hoarding,
    Mixed,
    NeverEvaluates,
    Probabilities,
    Reluctant,
    Scrambled,
    grow,
)

Plant = Callable[[Subject], None]


@dataclass(frozen=True)
class Bug:
    """A mistake.

    check: The name of the check that finds it. plant: Changes the parts of a run. words: What the run has
    besides. colour: Whether it shows in colour images only. trains: Whether the check trains. warns: Whether
    the check only warns. digits: Whether it shows in digits only.
    """

    check: str
    plant: Plant
    words: tuple[str, ...] = field(default=())
    colour: bool = False
    trains: bool = False
    warns: bool = False
    digits: bool = False


def put(subject: Subject, split: str, images: Arrays) -> None:
    """Put other images in place of a split's."""
    subject.data.splits[split] = images
    subject.data.train_set = subject.data._viewed("train", augmented=True)


def arrays(subject: Subject, split: str) -> Arrays:
    images = subject.data.splits[split]
    if isinstance(images, Arrays):
        return images
    return grow(images)


def wrap(subject: Subject, kind: type[nn.Module]) -> None:
    subject.classifier.net = kind(subject.classifier.net)


def become(subject: Subject, kind: type[Classifier]) -> None:
    subject.classifier.__class__ = kind


def data_becomes(subject: Subject, kind: type[ImageData]) -> None:
    subject.data.__class__ = kind
    subject.data.train_set = subject.data._viewed("train", augmented=True)


def relabel(subject: Subject, split: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    images = subject.data.splits[split]
    put(subject, split, images.relabel(change(images.labels)))  # type: ignore[arg-type]


def shuffled(labels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).permutation(labels)


def class_missing(subject: Subject) -> None:
    """The third class has no folder in val: those after it are counted one too low."""
    images = subject.data.splits["val"]
    kept = images.select(np.flatnonzero(images.labels != 1))
    put(subject, "val", kept.relabel(kept.labels - (kept.labels > 1)))  # type: ignore[arg-type]


def copies_in_train(subject: Subject) -> None:
    train, test = arrays(subject, "train"), arrays(subject, "test")
    some = test.select(np.arange(len(test) // 3))
    put(subject, "train", joined(train, some))


def val_of_train(subject: Subject) -> None:
    train = arrays(subject, "train")
    put(subject, "val", train.select(np.arange(0, len(train), 4)))


def near_copies(subject: Subject) -> None:
    train, val = arrays(subject, "train"), arrays(subject, "val")
    some = val.select(np.arange(0, len(val), 2))
    noise = torch.randint(-2, 3, some.images.shape, generator=torch.Generator().manual_seed(0))
    pixels = (some.images.float() * 1.03 + noise).clamp(0, 255).to(torch.uint8)
    put(subject, "train", joined(train, Arrays(pixels, some.labels)))


def joined(one: Arrays, other: Arrays) -> Arrays:
    return Arrays(torch.cat([one.images, other.images]), np.concatenate([one.labels, other.labels]))


def swapped_channels(subject: Subject) -> None:
    val = arrays(subject, "val")
    put(subject, "val", Arrays(val.images.flip(1), val.labels))


def rows_for_columns(subject: Subject) -> None:
    for split in subject.data.splits:
        images = arrays(subject, split)
        count, channels, height, width = images.images.shape
        pixels = images.images.permute(0, 2, 3, 1).reshape(count, channels, height, width)
        put(subject, split, Arrays(pixels.contiguous(), images.labels))


def scrambled_pixels(subject: Subject) -> None:
    for split in subject.data.splits:
        images = arrays(subject, split)
        order = torch.randperm(images.images[0, 0].numel(), generator=torch.Generator().manual_seed(0))
        pixels = images.images.flatten(2)[..., order].reshape(images.images.shape)
        put(subject, split, Arrays(pixels, images.labels))


class Raw(Preprocess):
    def __call__(self, images):
        return super().__call__(images) * 0 + images.float().mean(1, keepdim=True)


class Twice(Preprocess):
    def __call__(self, images):
        mean, std = (torch.tensor(v)[:, None, None] for v in (self.mean, self.std))
        return (super().__call__(images) - mean) / std


def preprocessed_by(kind: type[Preprocess]) -> Plant:
    def plant(subject: Subject) -> None:
        subject.data.preprocess = kind(**subject.data.preprocess.to_dict())

    return plant


class ValRaw(ImageData):
    def prepare_batch(self, batch, *, train, rank):
        found = super().prepare_batch(batch, train=train, rank=rank)
        return found if train else found._replace(images=batch.images.float().expand_as(found.images) / 255)


class ValAugmented(ImageData):
    def prepare_batch(self, batch, *, train, rank):
        found = super().prepare_batch(batch, train=train, rank=rank)
        if train:
            return found
        shifts = torch.randint(-2, 3, (len(found.images),)).tolist()
        moved = [image.roll(shift, -1) for image, shift in zip(found.images, shifts, strict=True)]
        return found._replace(images=torch.stack(moved))


class ValUnordered(ImageData):
    def prepare_batch(self, batch, *, train, rank):
        found = super().prepare_batch(batch, train=train, rank=rank)
        return found if train else found._replace(labels=found.labels.roll(1), targets=found.targets.roll(1))


class Sorted(ImageData):
    def train_batches(self, **where):
        return InOrder(
            self.splits["train"].labels, batch_size=self.batch_size, balance=False, seed=0, **where
        )


class InOrder(TrainBatches):
    def draws(self, epoch):
        return np.argsort(self.labels, kind="stable")


class DropsLast(ImageData):
    def eval_loader(self, split, *, rank, ranks):
        loader = super().eval_loader(split, rank=rank, ranks=ranks)
        loader.sampler.batches = loader.sampler.mine.size // 47
        loader.sampler.mine = loader.sampler.mine[: 47 * loader.sampler.batches]
        assert isinstance(loader.sampler, EvalBatches)
        return loader


class Black:
    def batch(self, images, keys):
        return images * 0

    def transform(self, size):
        return lambda image: image * 0


def all_black(subject: Subject) -> None:
    subject.data.on_device = [lambda images, keys: images * 0]


def all_turned_round(subject: Subject) -> None:
    subject.data.on_device = [lambda images, keys: images.flip(0)]


def freeze_backbone(subject: Subject) -> None:
    net = subject.classifier.net
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith(last_layer(net)[0]))


def without_head(subject: Subject) -> None:
    net = subject.classifier.net
    head = set(map(id, last_layer(net)[1].parameters()))
    for group in subject.classifier.groups:
        group["params"] = [one for one in group["params"] if id(one) not in head]


def dead_units(subject: Subject) -> None:
    layers = [m for m in subject.classifier.net.modules() if getattr(m, "bias", None) is not None]
    norms = [layer for layer in layers if isinstance(layer, _BatchNorm)]
    convolutions = [m for m in subject.classifier.net.modules() if isinstance(m, nn.Conv2d)]
    if norms:
        norms[-1].bias.data.fill_(-20.0)
        return
    last = convolutions[-1]
    last.bias = nn.Parameter(torch.full((last.out_channels,), -50.0)) if last.bias is None else last.bias
    last.bias.data.fill_(-50.0)
    subject.classifier.groups[0]["params"].append(last.bias)


def rate_times(factor: float) -> Plant:
    def plant(subject: Subject) -> None:
        for group in subject.classifier.groups:
            group["lr"] *= factor

    return plant


def far_too_high(subject: Subject) -> None:
    """A hundred times; a thousand with BatchNorm and SGD, which learn the digits at a rate of 5 too."""
    rate_times(1000.0 if subject.classifier.groups[0]["lr"] > 0.01 else 100.0)(subject)


def absurd_decay(subject: Subject) -> None:
    for group in subject.classifier.groups:
        group["weight_decay"] = 20.0


def loss_is(kind: Callable[..., nn.Module]) -> Plant:
    def plant(subject: Subject) -> None:
        assert subject.task is not None
        subject.task.criterion = kind()

    return plant


class SoftmaxLoss(nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        return super().forward(logits.softmax(1), targets)


class Negative(nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        return -super().forward(logits, targets)


class Summed(nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        return functional.cross_entropy(logits, targets, reduction="sum")


class OfTheFirst(nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        return super().forward(logits[:1], targets[:1])


def momentum_zero(subject: Subject) -> None:
    for layer in subject.classifier.net.modules():
        if isinstance(layer, _BatchNorm):
            layer.momentum = 0.0


class AlwaysAtRest(Classifier):
    def training_step(self, batch, batch_idx):
        self.net.eval()
        return super().training_step(batch, batch_idx)


class KeepsGradients(Classifier):
    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        pass


class BatchMeans(Classifier):
    def on_validation_epoch_end(self):
        logits, labels = self.outputs.take(self.task.kept, self.device)
        losses = [
            functional.cross_entropy(logits[part], labels[part])
            for part in torch.arange(len(labels)).split(23)
        ]
        self.log_dict(
            {f"val/{n}": v for n, v in self.task.metrics(logits[:50], labels[:50]).items()}, logger=False
        )
        self.log("val/loss", torch.stack(losses).mean(), logger=False)


def thaw_statistics(subject: Subject) -> None:
    kind = type(subject.classifier)

    class Thawed(kind):
        def train(self, mode=True):
            super().train(mode)
            for layer in self.net.modules():
                layer.training = mode
            return self

    subject.classifier.__class__ = Thawed


def huge_head(subject: Subject) -> None:
    last_layer(subject.classifier.net)[1].weight.data.mul_(100)


BATCHNORM = ("model.norm=batch",)
PROBE = ("finetune=linear_probe", "model.weights=TRAINED")

BUGS: dict[str, Bug] = {
    "labels shuffled": Bug("labels follow the images", lambda s: relabel(s, "train", shuffled)),
    "labels shuffled, in all splits": Bug(
        "input-independent baseline",
        lambda s: [relabel(s, split, shuffled) for split in s.data.splits] and None,
        trains=True,
    ),
    "softmax at the end of the network": Bug("logits", lambda s: wrap(s, Probabilities)),
    "softmax in the loss": Bug("loss function", loss_is(SoftmaxLoss)),
    "softmax in the loss, by training": Bug("overfit one batch", loss_is(SoftmaxLoss), trains=True),
    "gradients never cleared": Bug("gradients cleared", lambda s: become(s, KeepsGradients)),
    "input 0 to 255": Bug("inputs", preprocessed_by(Raw)),
    "test images in train": Bug("copies across splits", copies_in_train),
    "backbone frozen by mistake": Bug("optimizer", freeze_backbone),
    "dead ReLU from the start": Bug("activations by layer", dead_units),
    "val augmented": Bug("images of val", lambda s: data_becomes(s, ValAugmented)),
    "classes of val off by one": Bug(
        "labels of val", lambda s: relabel(s, "val", lambda y: (y + 1) % len(s.data.classes))
    ),
    "labels counted from 1": Bug(
        "classes and labels",
        lambda s: [relabel(s, n, lambda y: np.maximum(1, y)) for n in s.data.splits] and None,
    ),
    "images mixed by a reshape": Bug("batch leak", lambda s: wrap(s, Mixed)),
    "eval() missing": Bug("metrics of the whole split", lambda s: become(s, NeverEvaluates), BATCHNORM),
    "rate far too high": Bug("learning rate", far_too_high, trains=True),
    "normalised twice": Bug("inputs", preprocessed_by(Twice)),
    "val not normalised": Bug("inputs of train and val", lambda s: data_becomes(s, ValRaw)),
    "near copies of val in train": Bug("near copies across splits", near_copies),
    "head not in the optimizer": Bug("optimizer", without_head),
    "label out of range": Bug(
        "classes and labels", lambda s: relabel(s, "train", lambda y: y + (y == y.max()))
    ),
    "a class folder missing in val": Bug("labels of val", class_missing),
    "pixels scrambled": Bug("neighbouring pixels", scrambled_pixels),
    "height x width x colour taken for colour x height x width": Bug(
        "neighbouring pixels", rows_for_columns, colour=True
    ),
    "training images not shuffled": Bug("mixed batches", lambda s: data_becomes(s, Sorted)),
    "red and blue swapped in val": Bug("colour channels", swapped_channels, colour=True),
    "one label for all": Bug("classes and labels", lambda s: relabel(s, "train", lambda y: 0 * y)),
    "loss summed over the batch": Bug("loss function", loss_is(Summed)),
    "loss with the wrong sign": Bug("loss function", loss_is(Negative)),
    "backbone detached": Bug("gradients", lambda s: wrap(s, Detached)),
    "layer in a list": Bug("optimizer", lambda s: wrap(s, Hoarding)),
    "weight decay of 20": Bug("weight decay", absurd_decay),
    "val taken from train": Bug("copies across splits", val_of_train),
    "dropout never off": Bug("evaluation image by image", lambda s: wrap(s, DropsOn)),
    "augmentation that leaves nothing": Bug("augmentation", all_black, ("augment=[flip]",)),
    "augmentation that changes the order of images": Bug(
        "labels of augmented images", all_turned_round, ("augment=[flip]",)
    ),
    "two classes of val change places": Bug(
        "labels of val",
        lambda s: relabel(s, "val", lambda y: np.where(y == 0, 1, np.where(y == 1, 0, y))),
    ),
    "loss of the first image of a batch": Bug("loss function", loss_is(OfTheFirst)),
    "rate of 0": Bug("rates", rate_times(0.0)),
    "optimizer that does not step": Bug("parameters move", lambda s: Reluctant.plant(s.classifier)),
    "BatchNorm with momentum 0": Bug("batch statistics", momentum_zero, BATCHNORM),
    "BatchNorm at rest in training": Bug("batch statistics", lambda s: become(s, AlwaysAtRest), BATCHNORM),
    "draws without a seed": Bug("one seed", lambda s: wrap(s, Drawing)),
    "metrics averaged over batches": Bug("metrics of the whole split", lambda s: become(s, BatchMeans)),
    "last batch of val left out": Bug("whole split", lambda s: data_becomes(s, DropsLast)),
    "labels of val in another order": Bug("images of val", lambda s: data_becomes(s, ValUnordered)),
    "statistics of frozen layers move": Bug("frozen layers", thaw_statistics, (*BATCHNORM, *PROBE)),
    "head 100 times too large": Bug("loss at init", huge_head),
    "network that does not look": Bug("batch leak", lambda s: wrap(s, Blind)),
    "network that forgets, by training": Bug("overfit one batch", lambda s: wrap(s, Forgetful), trains=True),
    "pixels scrambled anew for each image": Bug("neighbouring pixels", lambda s: data_becomes(s, Scrambled)),
}
