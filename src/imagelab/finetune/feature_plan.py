"""Decide whether a run can train on features instead of images, and explain the decision in a sentence."""

from collections.abc import Iterator, Sequence

import torch
from lightning import Callback, Trainer
from torch import nn

from imagelab.config.facts import said_by
from imagelab.contracts import Rewire
from imagelab.data.image_data import ImageData
from imagelab.data.memory import ROOM
from imagelab.finetune.features import FeatureCache
from imagelab.finetune.head import head_layers
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.logger.pictures import AugmentedPictures
from imagelab.model.capture import capturing
from imagelab.training.stop import StopRequest

COMPARED = 4  # images on which the logits from features are compared with the network's own


def cache_features(
    probe: LinearProbe,
    net: nn.Module,
    data: ImageData,
    trainer: Trainer,
    tricks: Sequence[object],
    stop: StopRequest,
) -> None:
    """Let a trainer compute the features first in a linear probe, if they can replace the images.

    Args:
        probe: Strategy of the run.
        net: Network to train.
        data: Images of the run.
        trainer: Trainer, changed in place; with features it draws no pictures of its input.
        tricks: Tricks of the run.
        stop: Flag that Ctrl-C and SIGTERM set.
    """
    cache = feature_cache(probe, net, data, trainer, tricks, stop)
    callbacks: list[Callback] = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
    fed = [one for one in callbacks if not (cache.layers and isinstance(one, AugmentedPictures))]
    callbacks[:] = [cache, *fed]


def feature_cache(
    probe: LinearProbe,
    net: nn.Module,
    data: ImageData,
    trainer: Trainer,
    tricks: Sequence[object],
    stop: StopRequest,
) -> FeatureCache:
    """Build the callback that computes features once, or that says why the network runs in every epoch."""
    plain = probe.views == 1 or not data.single
    views = 0 if plain else probe.views or 0
    layers, size = _split(net, data, trainer)
    images = max(1, views) * data.counts["train"] + data.counts["val"]
    against = [*_changes(probe, data, tricks), *_does_not_fit(net, layers, size * images)]
    if against:
        why = f"linear_probe: the frozen network runs in every epoch: {against[0]}."
        return FeatureCache(layers=[], views=0, why=why, stop=stop)
    shown = "plain images" if plain else f"{views} fixed views of each training image"
    unused = "; augment is not used" if plain and data.single else ""
    why = f"linear_probe: the head trains on features of {shown}, computed once{unused}."
    return FeatureCache(layers=layers, views=views, why=why, stop=stop)


def _changes(probe: LinearProbe, data: ImageData, tricks: Sequence[object]) -> Iterator[str]:
    if data.mixing:
        names = " and ".join(type(one).__name__.lower() for one in data.mixing)
        yield f"augment: {names} blends different images each time"
    if data.signals:
        yield "data.signals: what joins the features is trained, too"
    if data.single and probe.views is None:
        yield (
            "augmentation is random; finetune.views=1 (no augmentation) and finetune.views=8 (8 fixed views "
            "of each image) are many times faster"
        )
    for trick in tricks:
        if isinstance(trick, Rewire) or said_by(trick).needs_images:
            yield f"trick.{type(trick).__name__.lower()} needs the whole network"


def _does_not_fit(net: nn.Module, layers: list[str], size: int) -> Iterator[str]:
    if not layers:
        yield f"the head of {type(net).__name__} is not a chain of layers that can run by itself"
    if size > ROOM:
        yield (
            f"the features would take {size / 2**30:.1f} GiB of memory, and the limit is "
            f"{ROOM / 2**30:.0f}; set a smaller finetune.views or data.limit"
        )


@torch.no_grad()
def _split(net: nn.Module, data: ImageData, trainer: Trainer) -> tuple[list[str], int]:
    """The layers that turn features into logits, and the size of one image's features in bytes."""
    precision = trainer.precision_plugin
    images = precision.convert_input(data.sample(COMPARED))
    with precision.forward_context():
        layers = head_layers(net, images)
        if not layers:
            return [], 0
        with capturing(net, layers[0]) as seen:
            net(images)
    return layers, seen[0][0].numel() * seen[0].element_size()
