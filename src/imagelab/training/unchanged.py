"""Try a training out and leave no trace: weights, buffers, gradients, groups and random numbers come back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule, LightningModule

REPLACED = ("schedule", "pace", "losses", "terms", "correct", "history", "moves", "evaluations", "averages")
REPLACED += ("_trainer",)


@contextmanager
def unchanged(classifier: LightningModule, data: LightningDataModule) -> Iterator[None]:
    """Whatever happens inside, afterwards a classifier, its data and all random numbers are as before.

    Args:
        classifier: Of which training changes weights, buffers and groups in place.
        data: Its images.
    """
    tensors = [*classifier.parameters(), *classifier.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    gradients = [(p, p.grad, p.requires_grad) for p in classifier.parameters()]
    modes = [(module, module.training) for module in classifier.modules()]
    groups = [dict(group) for group in vars(classifier)["groups"]]
    parts = {name: vars(classifier)[name] for name in REPLACED if name in vars(classifier)}
    trainer = data.trainer
    for parameter in classifier.parameters():
        parameter.grad = None  # else they would be added up in place
    with random_numbers_kept():
        try:
            yield
        finally:
            vars(classifier).update(parts)
            data.trainer = trainer
            _put_back(classifier, values, groups)
            for parameter, gradient, moves in gradients:
                parameter.grad = gradient
                parameter.requires_grad_(moves)
            for module, training in modes:
                module.training = training


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Afterwards Python, NumPy and torch, on every device, draw on as if nothing had been drawn inside."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - whoever draws from it
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if mps is not None:
            torch.mps.set_rng_state(mps)


def _put_back(classifier: LightningModule, values: list[torch.Tensor], groups: list[dict[str, Any]]) -> None:
    # Only now are the tensors looked up: a device that is left takes its own along.
    with torch.no_grad():
        for tensor, value in zip([*classifier.parameters(), *classifier.buffers()], values, strict=True):
            tensor.copy_(value)
    for group, before in zip(vars(classifier)["groups"], groups, strict=True):  # optimizers write into them
        group.clear()
        group.update(before)
