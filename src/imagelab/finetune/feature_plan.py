"""Whether features can stand in for the images of a run, and a sentence on it."""

from collections.abc import Iterator, Sequence

import torch
from lightning import Callback, Trainer
from torch import nn

from imagelab.config.facts import said_by
from imagelab.contracts import Rewire
from imagelab.data.image_data import ImageData
from imagelab.data.memory import ROOM
from imagelab.finetune.features import FeatureCache, capturing
from imagelab.finetune.head import head_layers
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.logger.pictures import AugmentedPictures
from imagelab.training.stop import StopRequest

LOOKED_AT = 4  # images that the two ways to the logits are compared on


def cache_features(
    probe: LinearProbe,
    net: nn.Module,
    data: ImageData,
    trainer: Trainer,
    tricks: Sequence[object],
    stop: StopRequest,
) -> None:
    """Let a trainer begin a linear probe with the features, where they can stand in for the images.

    Args:
        probe: The strategy.
        net: The network to train.
        data: Its images.
        trainer: Changed in place. Where it gets features, it draws no pictures of what it is fed.
        tricks: Of the run.
        stop: What Ctrl-C and SIGTERM set.
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
    """What makes the features of a run once, or says why the network has to run in every epoch."""
    plain = probe.views == 1 or not data.single
    views = 0 if plain else probe.views or 0
    layers, size = _split(net, data, trainer)
    images = max(1, views) * data.counts["train"] + data.counts["val"]
    against = [*_drawn_anew(probe, data, tricks), *_no_room(net, layers, size * images)]
    if against:
        why = f"linear_probe: the frozen network runs in every epoch: {against[0]}."
        return FeatureCache(layers=[], views=0, why=why, stop=stop)
    shown = "plain images" if plain else f"{views} fixed views of each training image"
    unused = ", augment is left out" if plain and data.single else ""
    why = f"linear_probe: the features of {shown} are made once, the head trains on them{unused}."
    return FeatureCache(layers=layers, views=views, why=why, stop=stop)


def _drawn_anew(probe: LinearProbe, data: ImageData, tricks: Sequence[object]) -> Iterator[str]:
    if data.mixing:
        names = " and ".join(type(one).__name__.lower() for one in data.mixing)
        yield f"augment: {names} blends its images anew each time"
    if data.single and probe.views is None:
        yield (
            "augmentation is random; finetune.views=1 leaves it out, and finetune.views=8 draws 8 views of "
            "each image once, both many times as fast"
        )
    for trick in tricks:
        if isinstance(trick, Rewire) or said_by(trick).needs_images:
            yield f"trick.{type(trick).__name__.lower()} wants the whole network"


def _no_room(net: nn.Module, layers: list[str], size: int) -> Iterator[str]:
    if not layers:
        yield f"the head of {type(net).__name__} is no chain of layers that features could go through"
    if size > ROOM:
        yield (
            f"the features would take {size / 2**30:.1f} GiB of memory, more than the "
            f"{ROOM / 2**30:.0f} that are meant for them; a smaller finetune.views or data.limit fits"
        )


@torch.no_grad()
def _split(net: nn.Module, data: ImageData, trainer: Trainer) -> tuple[list[str], int]:
    """The layers that turn features into logits, and the bytes of the features of an image."""
    precision = trainer.precision_plugin
    images = precision.convert_input(data.sample(LOOKED_AT))
    with precision.forward_context():
        layers = head_layers(net, images)
        if not layers:
            return [], 0
        with capturing(net, layers[0]) as seen:
            net(images)
    return layers, seen[0][0].numel() * seen[0].element_size()
