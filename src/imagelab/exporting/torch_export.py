"""Write and load torch.export programs, which run where torch is installed, without this project's code.

Source: https://docs.pytorch.org/docs/stable/export.html
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.export import Dim

from imagelab.checkpoints.card import BATCH, KEY, Card, read, written
from imagelab.config.trust import trusted_names
from imagelab.exporting.graph import Exported, dynamic, traceable, tracing, unreadable
from imagelab.predictor import Predictor
from imagelab.problem import Problem


def write(path: Path, predictor: Predictor, card: Card, *, opset: int) -> None:
    """Write a .pt2 file; `opset` is ignored."""
    graph, example = traceable(predictor, card)
    with tracing("torch_export"):
        program = torch.export.export(graph, example, dynamic_shapes=dynamic(card, Dim(BATCH)))
    torch.export.save(program, path, extra_files={KEY: written(card)})


def load_exported(path: Path) -> Exported:
    """Load a .pt2 file, on the CPU.

    Raises:
        Problem: If it is damaged, or not trusted by the user: torch.export unpickles its content.
    """
    if str(path) not in trusted_names():
        raise Problem(
            f"{path} is a program and could run any code; if you trust its source, add trust={path}"
        )
    kept = {KEY: ""}
    try:
        program = torch.export.load(path, extra_files=kept).module()
    except Exception as error:  # a damaged archive is reported in many ways
        raise unreadable(path, error) from error

    def run(*given: Tensor) -> np.ndarray:
        with torch.inference_mode():
            return program(*given).numpy()

    return Exported(card=read(kept, path), run=run)
