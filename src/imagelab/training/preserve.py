"""Look at a network in the middle of its training, and leave no trace: the run keeps its bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning import LightningModule, Trainer
from torch import nn

from imagelab.problem import Problem


@contextmanager
def untouched(module: LightningModule) -> Iterator[None]:
    """Whatever is done with a classifier meanwhile, its modes, buffers and draws are the same afterwards.

    Its network runs layer by layer, also where it is compiled. Gradients are the caller's: `torch.no_grad`,
    or `torch.autograd.grad`, which leaves those of the parameters alone.
    """
    net = module.net
    assert isinstance(net, nn.Module)
    modes = {one: one.training for one in module.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    compiled, net._compiled_call_impl = net._compiled_call_impl, None
    devices = [module.device] if module.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        net._compiled_call_impl = compiled
        for one, training in modes.items():
            one.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def opens_step(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a batch is the first of an optimizer step."""
    return batch_idx % trainer.accumulate_grad_batches == 0


def closes_step(trainer: Trainer, batch_idx: int) -> bool:
    """Whether an optimizer step follows a batch."""
    done = batch_idx + 1
    return done % trainer.accumulate_grad_batches == 0 or done == trainer.num_training_batches


def refuse_less(key: str, value: int, least: int, such_as: int) -> None:
    """Raise a Problem where a whole number of a trick is too small."""
    if value < least:
        raise Problem(f"trick.{key}: wants {least} or more, such as {such_as}, got {value}")
