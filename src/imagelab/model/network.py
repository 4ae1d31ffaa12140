"""Build the network that a config describes, with or without the weights it started from."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.make import make
from imagelab.config.rules.finetune import from_scratch
from imagelab.config.schema import Node
from imagelab.data.signals import Column, labels_of
from imagelab.model.fit import fit_model
from imagelab.model.logits import check_logits
from imagelab.model.signals import join_signals
from imagelab.randomness import stream

log = logging.getLogger(__name__)


def bare(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config without its initial weights, which those of a checkpoint would overwrite."""
    start = {"weights": None, "init": "default", "pretrained": False}
    return model | {key: value for key, value in start.items() if key in model}


def build_net(
    node: Node,
    classes: list[str],
    in_channels: int,
    size: int,
    seed: int,
    sample: Callable[[int], Tensor] | None = None,
    signals: Sequence[Column] = (),
) -> torch.nn.Module:
    """Build the network from its own arguments, then apply the options that every network takes.

    Args:
        node: The model's config.
        classes: Names of the K outputs.
        in_channels: Channels of an image.
        size: Side of an image in pixels.
        seed: Seed of the weights.
        sample: Count -> training images (B, C, H, W), for an init that needs some.
        signals: What the network sees besides the image.
    """
    own, knobs = schema.split("model", node)
    torch.manual_seed(int(stream(seed, "init").integers(2**31)))
    facts = {"classes": classes, "num_classes": len(classes), "in_channels": in_channels, "size": size}
    net = make(own, norm=knobs["norm"], **facts)
    join_signals(net, labels_of(signals), in_channels)
    net = fit_model(net, **knobs, sample=sample, classes=classes)
    outputs = len(classes)
    outputs = getattr(net, "outputs", outputs)  # room: detection
    if says(node).generates:  # room: generators
        return net
    check_logits(net, num_classes=outputs, in_channels=in_channels, size=size)
    return net


def without_weights(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config without trained weights to start from; warns if it had any."""
    asked = [f"model.{key}" for key in ("weights", "pretrained") if model.get(key)]
    if asked:
        log.warning(f"finetune=scratch: {' and '.join(asked)} ignored; training starts from random weights.")
    nothing = {"weights": None, "pretrained": False}
    return model | {key: value for key, value in nothing.items() if key in model}


def model_to_start(cfg: Node, known: Node | None) -> Node:
    """The config of the network, without weights that a resumed run, or one from scratch, does not load."""
    if known:
        return bare(cfg["model"])
    return without_weights(cfg["model"]) if from_scratch(cfg) else cfg["model"]
