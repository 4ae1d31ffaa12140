"""Write and load weights without code, and the card to use them, for `imagelab.load` and other programs.

Source: https://huggingface.co/docs/safetensors
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from imagelab.checkpoints.card import KEY, Card, written
from imagelab.loading import load
from imagelab.predictor import Predictor


def write(path: Path, predictor: Predictor, card: Card, *, opset: int) -> None:
    """Write the weights and buffers by name, and the card as metadata; `opset` is ignored."""
    # Each tensor contiguous in its own memory: the format supports neither shared tensors nor strides.
    weights = predictor.net.state_dict().items()
    state = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in weights}
    save_file(state, path, metadata={KEY: written(card), "format": "pt"})


def load_exported(path: Path) -> Predictor:
    """Load the network of a file, on the CPU.

    Raises:
        Problem: If the file is missing, damaged or from another program.
    """
    return load(path)
