"""Puts in place of `finetune=auto` what it chooses, once: a run that goes on keeps to it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.config import menu
from imagelab.config.make import make
from imagelab.config.schema import Node
from imagelab.data.batches import Address
from imagelab.data.image_data import ImageData
from imagelab.finetune.auto import Auto
from imagelab.finetune.features import capturing
from imagelab.finetune.head import head_layers
from imagelab.model.head import last_layer
from imagelab.model.network import build_net
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.terminal import screen

BATCH = 128  # images
EACH = 20  # images of a class that nearest neighbours need: of more classes, only some are looked at


def resolve_finetune(
    cfg: Node, known: Node | None, build_data: Callable[[Node], ImageData]
) -> tuple[Node, Node | None]:
    """The config with the strategy that suits its data, and the record of the choice; None: none was left.

    Args:
        cfg: Of the run.
        known: The card of the checkpoint that it goes on from.
        build_data: Builds the images that a config names.
    """
    auto = make(cfg["finetune"]) if cfg["finetune"] else None
    if not isinstance(auto, Auto):
        return cfg, None
    if known:
        record = known["finetune"]
        when = "as when the run began: "
    else:
        record = _measured(cfg, auto, build_data)
        when = ""
    screen.say(f"finetune=auto: {when}{record['why']}.")
    if record["choice"] not in menu.choices("finetune"):
        raise Problem(f"The checkpoint chose finetune={record['choice']!r}, which is no choice here")
    return cfg | {"finetune": menu.load(menu.folder() / "finetune" / f"{record['choice']}.yaml")}, record


def looked_at(labels: np.ndarray, images: int, seed: int) -> np.ndarray:
    """Places of up to so many images, as many of each class; of some classes only, where all are too many."""
    rng = stream(seed, "likeness")
    classes = np.unique(labels)
    some = rng.permutation(classes)[: max(2, images // EACH)]
    each = images // len(some)
    return np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:each] for label in some])
    )


@torch.no_grad()
def features_of(net: nn.Module, data: ImageData, places: np.ndarray) -> tuple[Tensor, Tensor]:
    """What goes into the head, and the images themselves as the network sees them, of training images."""
    dataset = data.dataset("train", augmented=False)
    made = []
    pixels = []
    layer = [*head_layers(net, data.sample(2)), last_layer(net)[0]][0]
    with capturing(net, layer) as seen:
        for place in range(0, len(places), BATCH):
            index = places[place : place + BATCH]
            images = data.preprocess(dataset[Address(0, 0, index, index)].images)
            net(images)
            made.append(seen.pop().flatten(1))
            pixels.append(images.flatten(1))
    return torch.cat(made), torch.cat(pixels)


def _measured(cfg: Node, auto: Auto, build_data: Callable[[Node], ImageData]) -> Node:
    data = build_data(cfg)
    labels = data.splits["train"].labels
    per_class = float(np.median(np.unique(labels, return_counts=True)[1]))
    if auto.similarity is not None:
        return auto.decide(per_class, None)
    net = build_net(
        cfg["model"], data.classes, data.in_channels, data.size, seed=cfg["seed"], sample=data.sample
    )
    places = looked_at(labels, auto.images, cfg["seed"])
    screen.say(f"finetune=auto: looking at {len(places):,} training images with the network as it is ...")
    features, pixels = features_of(net, data, places)
    return auto.decide(per_class, auto.likeness(features, pixels, torch.from_numpy(labels[places])))
