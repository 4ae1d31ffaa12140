"""Run code on a live network, even a short training, then restore its state."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule, LightningModule
from torch import nn

REPLACED = ("schedule", "step_plan", "losses", "terms", "correct", "history", "moves", "evaluations")
REPLACED += ("averages", "_trainer")


@contextmanager
def preserve_state(module: LightningModule) -> Iterator[None]:
    """Let the block run the network, then restore modes, buffers and random state.

    A compiled network runs uncompiled. The caller must keep gradients intact, with `torch.no_grad` or
    `torch.autograd.grad`, which does not touch those of the parameters.
    """
    net = module.net
    assert isinstance(net, nn.Module)
    compiled = net._compiled_call_impl
    net._compiled_call_impl = None
    buffers = [buffer.clone() for buffer in module.buffers()]
    devices = [module.device] if module.device.type == "cuda" else []
    try:
        with preserve_modes(module), preserve_draws(devices):
            yield
    finally:
        net._compiled_call_impl = compiled
        _copy_back(list(module.buffers()), buffers)


@contextmanager
def preserve_training(classifier: LightningModule, data: LightningDataModule) -> Iterator[None]:
    """Let the block run a fit, then also restore weights, gradients, parameter groups and all state of a fit.

    Args:
        classifier: Module whose weights, buffers and groups a fit changes in place.
        data: Data module of the fit.
    """
    values = [tensor.detach().clone() for tensor in _tensors(classifier)]
    gradients = [(p, p.grad, p.requires_grad) for p in classifier.parameters()]
    groups = [dict(group) for group in vars(classifier)["groups"]]
    parts = {name: vars(classifier)[name] for name in REPLACED if name in vars(classifier)}
    trainer = data.trainer
    for parameter in classifier.parameters():
        parameter.grad = None  # else new gradients would be added to them
    try:
        with preserve_modes(classifier), preserve_draws():
            yield
    finally:
        vars(classifier).update(parts)
        data.trainer = trainer
        _copy_back(_tensors(classifier), values)
        _put_back_groups(classifier, groups)
        for parameter, gradient, moves in gradients:
            parameter.grad = gradient
            parameter.requires_grad_(moves)


@contextmanager
def preserve_modes(module: nn.Module) -> Iterator[None]:
    """Restore which modules are in training mode."""
    modes = [(one, one.training) for one in module.modules()]
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training


@contextmanager
def preserve_draws(devices: Sequence[torch.device] | None = None) -> Iterator[None]:
    """Restore the random state of Python, NumPy and torch.

    Args:
        devices: GPUs whose state is restored; None: all.
    """
    python = random.getstate()
    numpy = np.random.get_state()  # noqa: NPY002 - whoever draws from it
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if mps is not None:
            torch.mps.set_rng_state(mps)


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


@torch.no_grad()
def _copy_back(tensors: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    # Look the tensors up only now: moving to another device replaces them.
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def _put_back_groups(classifier: nn.Module, groups: list[dict[str, Any]]) -> None:
    for group, before in zip(vars(classifier)["groups"], groups, strict=True):  # optimizers write into them
        group.clear()
        group.update(before)
