"""Collect what a split's metrics need, batch by batch, from all ranks."""

import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

KEPT = 100_000_000  # numbers: outputs of a split that are more are not kept for the report


Seen = tuple[Tensor, Tensor] | None  # outputs and labels of a split, on the CPU


def keep(outputs: Tensor, labels: Tensor) -> Seen:
    """Outputs and labels to keep after the epoch; None if they are too many."""
    return (outputs.cpu(), labels.cpu()) if outputs.numel() <= KEPT else None


class Outputs:
    """Values kept per image of a split, such as logits and labels, from all ranks."""

    def __init__(self) -> None:
        self.logits: list[Tensor] = []
        self.labels: list[Tensor] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: logits (B, K) and labels (B,), or the values of another task."""
        self.logits.append(logits.detach().float())
        self.labels.append(labels)

    def take(self, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return all logits (N, width) and labels (N,) of all ranks, and start again."""
        logits = torch.cat(self.logits) if self.logits else torch.empty(0, width, device=device)
        labels = torch.cat(self.labels) if self.labels else torch.empty(0, dtype=torch.int64, device=device)
        self.logits, self.labels = [], []
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            logits, labels = torch.cat(gather_all_tensors(logits)), torch.cat(gather_all_tensors(labels))
        return logits, labels
