"""Read the weights and the card of a .safetensors file, which holds no code.

Source: https://huggingface.co/docs/safetensors
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from imagelab.checkpoints.card import KEY, Card
from imagelab.problem import Problem

ENDING = ".safetensors"


def read_safetensors(path: Path) -> tuple[Card, dict[str, Tensor]]:
    """Read the card and the weights by name, onto the CPU.

    Raises:
        Problem: There is no such file, it is damaged, or another program wrote it.
    """
    card, state = read_tensors(path)
    if not card:
        raise Problem(f"{path} does not list its classes: Imagelab did not write it")
    return card, state


def read_tensors(path: Path) -> tuple[Card | None, dict[str, Tensor]]:
    """Read the weights by name, and the card, if this project wrote the file.

    Raises:
        Problem: There is no such file, or it is damaged.
    """
    if not path.is_file():
        raise Problem(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            handle: Any = file
            card = (handle.metadata() or {}).get(KEY)
            state = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise Problem(f"{path} is damaged ({error})") from error
    return json.loads(card) if card else None, state
