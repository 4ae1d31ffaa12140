"""Resolve `finetune=auto` to a concrete strategy, once per run: a resumed run keeps it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.config import menu
from imagelab.config.make import make
from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.finetune.auto import Auto
from imagelab.finetune.head import head_layers
from imagelab.model.capture import capturing
from imagelab.model.head import last_layer
from imagelab.model.network import build_net
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.terminal import screen

BATCH = 128  # images
EACH = 20  # images per class that nearest neighbours need; with too many classes, only some are used


def resolve_finetune(
    cfg: Node, known: Node | None, build_data: Callable[[Node], ImageData]
) -> tuple[Node, Node | None]:
    """Replace finetune=auto by a strategy that suits the data; also return the choice, or None without auto.

    Args:
        cfg: Config of the run.
        known: Card of the checkpoint that the run resumes from, if any.
        build_data: Function that builds the data of a config.
    """
    auto = make(cfg["finetune"]) if cfg["finetune"] else None
    if not isinstance(auto, Auto):
        return cfg, None
    if known:
        record = known["finetune"]
        when = "as at the start of the run: "
    else:
        record = _decide(cfg, auto, build_data)
        when = ""
    screen.say(f"finetune=auto: {when}{record['why']}.")
    if record["choice"] not in menu.choices("finetune"):
        raise Problem(f"The checkpoint holds finetune={record['choice']!r}, which does not exist here")
    return cfg | {"finetune": menu.load(menu.folder() / "finetune" / f"{record['choice']}.yaml")}, record


def draw_places(labels: np.ndarray, images: int, seed: int) -> np.ndarray:
    """Draw places of up to `images` images, equally many per class; from some classes if there are many."""
    rng = stream(seed, "likeness")
    classes = np.unique(labels)
    some = rng.permutation(classes)[: max(2, images // EACH)]
    each = images // len(some)
    return np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:each] for label in some])
    )


@torch.no_grad()
def features_of(net: nn.Module, data: ImageData, places: np.ndarray) -> tuple[Tensor, Tensor]:
    """The features that enter the head, and the preprocessed pixels, of training images."""
    made = []
    pixels = []
    layer = [*head_layers(net, data.sample(2)), last_layer(net)[0]][0]
    with capturing(net, layer) as seen:
        for place in range(0, len(places), BATCH):
            index = places[place : place + BATCH]
            images = data.seen(data.plain("train", index))
            net(images)
            made.append(seen.pop().flatten(1))
            pixels.append(images[:, : data.in_channels].flatten(1))
    return torch.cat(made), torch.cat(pixels)


def _decide(cfg: Node, auto: Auto, build_data: Callable[[Node], ImageData]) -> Node:
    data = build_data(cfg)
    labels = data.splits["train"].labels
    per_class = float(np.median(np.unique(labels, return_counts=True)[1]))
    if auto.similarity is not None:
        return auto.decide(per_class, None)
    more = {"seed": cfg["seed"], "sample": data.sample, "signals": data.preprocess.signals}
    net = build_net(cfg["model"], data.classes, data.in_channels, data.size, **more)
    places = draw_places(labels, auto.images, cfg["seed"])
    screen.say(f"finetune=auto: measuring similarity on {len(places):,} training images …")
    features, pixels = features_of(net, data, places)
    return auto.decide(per_class, auto.likeness(features, pixels, torch.from_numpy(labels[places])))
