"""Build the optimizer of a run from its config."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.make import make_optimizer
from imagelab.config.schema import Node
from imagelab.optimizer.lr_scaling import scaled_lr
from imagelab.optimizer.param_groups import Groups, optimizer_groups, pair_groups
from imagelab.training.optimizer_modes import begun


def build_optimizer(
    node: Node, net: torch.nn.Module, batch: int, group: Callable[..., Groups] = optimizer_groups
) -> tuple[Callable[..., Any], Groups]:
    """Return a function that makes the optimizer, and its parameter groups.

    Args:
        node: Config of the optimizer.
        net: Network to train.
        batch: Images per step, over all devices and accumulated batches.
        group: Function that makes the parameter groups.
    """
    own, knobs = schema.split("optimizer", node)
    own["lr"] = scaled_lr(own["lr"], knobs["lr_scaling"], batch, knobs["lr_base_batch"])
    groups = group(net, own, knobs["decay_norm_bias"])
    return begun(make_optimizer(own, groups)), groups


def grouping(cfg: Node) -> Callable[..., Groups]:
    """The function that makes the parameter groups."""
    if says(cfg["task"]).generates:  # room: generators
        return partial(pair_groups, generator_rate=cfg["task"]["generator_rate"])
    return optimizer_groups
