"""Weights that hold no code, with all it takes to use them: for `imagelab.load` and other programs.

Source: https://huggingface.co/docs/safetensors
"""

from pathlib import Path
from typing import Any

import torch

from imagelab.exporting.card import KEY, Card, read, written
from imagelab.predictor import Predictor, from_card
from imagelab.problem import Problem

ENDING = ".safetensors"


def write(path: Path, predictor: Predictor, card: Card, *, opset: int) -> None:
    """Write the weights and buffers by name, and the card as metadata; `opset` is ONNX's."""
    from safetensors.torch import save_file

    # Each its own memory, in the plain layout: the format knows neither ties nor strides.
    weights = predictor.net.state_dict().items()
    state = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in weights}
    save_file(state, path, metadata={KEY: written(card), "format": "pt"})


def opened(path: Path) -> Predictor:
    """The network of a file, on the CPU.

    Raises:
        Problem: There is no such file, it is damaged, or another program's.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise Problem(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            handle: Any = file
            card = read(handle.metadata(), path)
            state = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise Problem(f"{path} is damaged ({error})") from error
    return from_card(card, state)
