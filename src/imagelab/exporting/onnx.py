"""Write and load ONNX files, for onnxruntime in any language, on any device.

Source: https://docs.pytorch.org/docs/stable/onnx_export.html
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.checkpoints.card import BATCH, KEY, Card, inputs_of, read, written
from imagelab.exporting.formats import need
from imagelab.exporting.graph import Exported, dynamic, traceable, tracing, unreadable
from imagelab.predictor import Predictor
from imagelab.problem import Problem

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # the best one first
LARGEST = 2**31 - 2**20  # bytes: the limit of protocol buffers is 2 GiB


def write(path: Path, predictor: Predictor, card: Card, *, opset: int) -> None:
    """Write an ONNX file.

    Args:
        path: Path of the file.
        predictor: Predictor to export, on the CPU.
        card: Card to store in the file.
        opset: Version of the ONNX operator set.
    """
    need("onnx", "onnxscript", "onnxruntime")
    size = sum(weight.numel() * weight.element_size() for weight in predictor.net.state_dict().values())
    if size > LARGEST:
        raise Problem(
            f"format=onnx: the weights take {size / 2**30:.1f} GiB, more than the 2 GiB limit of ONNX "
            "files; set format=torch_export"
        )
    graph, example = traceable(predictor, card)
    with tracing("onnx"):
        program: Any = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            dynamic_shapes=dynamic(card, BATCH),
            input_names=inputs_of(card),
            output_names=[card["output"]["name"]],
            opset_version=opset,
            verbose=False,
        )
    program.model.metadata_props[KEY] = written(card)
    program.save(path, external_data=False)


def load_exported(path: Path) -> Exported:
    """Load an ONNX file, on the best device that the installed onnxruntime supports."""
    need("onnxruntime")
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # errors
    providers = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(path, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common base class
        raise unreadable(path, error) from error

    card = read(session.get_modelmeta().custom_metadata_map, path)

    def run(*given: Tensor) -> np.ndarray:
        named = zip(inputs_of(card), given, strict=True)
        found: Any = session.run(None, {name: one.numpy() for name, one in named})
        return found[0]

    return Exported(card=card, run=run)
