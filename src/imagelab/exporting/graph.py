"""Wrap preprocessing and network into one module to export, and run it from an exported file."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.checkpoints.card import SIGNALS, Card, inputs_of
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.data.signals import needed
from imagelab.loading import task_from
from imagelab.predictor import Predictor, TakesPictures, in_pixels
from imagelab.problem import Problem

EXAMPLES = 2  # images to trace with: with one, the batch size would be fixed


class Graph(nn.Module):
    """A predictor including its preprocessing, in a form that can be traced."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.net = predictor.net.eval()
        self.preprocess = predictor.preprocess
        self.task = predictor.task

    def forward(self, images: Tensor, signals: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) uint8 -> predictions (B, K), or boxes (B, 100, 6) in pixels of these images."""
        predictions = self.task.predictions(self.net(self.preprocess(images, signals)))
        return in_pixels(self.task, predictions, self.preprocess.scale(*images.shape[-2:]))


class Exported(TakesPictures):
    """A loaded export, used like the predictor that it was made from.

    Args:
        card: Card stored in the file.
        run: Function that runs the graph: (B, 3, H, W) uint8, and (B, S) float32 if it has signals -> (B, K).
    """

    def __init__(self, *, card: Card, run: Callable[..., np.ndarray]) -> None:
        self.classes: list[str] = card["classes"]
        self.preprocess = Preprocess.from_dict(card["preprocess"])
        self.reader = Reader(**card["reader"])
        self.task = task_from(card)
        self.run = run

    def predictions(self, images: Tensor, signals: Tensor | None = None) -> np.ndarray:
        if not self.preprocess.signals:
            return self.run(images.contiguous())
        if signals is None:
            raise Problem(needed(self.preprocess.signals))
        return self.run(images.contiguous(), signals)


def traceable(predictor: Predictor, card: Card) -> tuple[Graph, tuple[Tensor, ...]]:
    """Return the graph of a predictor and an example of its input, after one call.

    The call fills the per-device caches of the preprocessing, which tracing could not.
    """
    graph = Graph(predictor)
    shape = card["input"]["shape"][1:]
    example = (torch.zeros(EXAMPLES, *shape, dtype=torch.uint8),)
    example += (torch.zeros(EXAMPLES, len(card[SIGNALS]["names"])),) if SIGNALS in card else ()
    with torch.no_grad():
        graph(*example)
    return graph, example


def dynamic(card: Card, batch: Any) -> dict[str, dict[int, Any]]:
    """Mark the number of images as dynamic."""
    return {name: {0: batch} for name in inputs_of(card)}


@contextmanager
def tracing(name: str) -> Iterator[None]:
    """Explain in a sentence if a format cannot express a network, and hide torch's own output.

    Args:
        name: Name of the format.
    """
    logging.disable(logging.WARNING)
    try:
        with (
            torch.no_grad(),
            warnings.catch_warnings(),
            redirect_stderr(StringIO()),
        ):  # torch prints the graph
            warnings.simplefilter("ignore")
            yield
    except (RuntimeError, ValueError, TypeError) as error:  # the base classes of what torch raises here
        first = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = next((line for line in str(first).splitlines() if line.strip()), "no reason given")
        raise Problem(
            f"format={name} cannot express this network ({type(first).__name__}: {reason.strip()}); "
            "set format=safetensors, which works for any network"
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def unreadable(path: Path, error: Exception) -> Problem:
    """The message for a file that cannot be opened."""
    return Problem(f"{path} is damaged, or was not written by `imagelab export` ({type(error).__name__})")
