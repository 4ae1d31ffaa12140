"""Collect what a split's metrics need, batch by batch, from all ranks."""

import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

KEPT = 100_000_000  # numbers: outputs of a split that are more are not kept for the report


Seen = tuple[Tensor, Tensor] | None  # outputs and labels of a split, on the CPU


def keep(outputs: Tensor, labels: Tensor) -> Seen:
    """Both for later, beside the training; None where they are too many."""
    return (outputs.cpu(), labels.cpu()) if outputs.numel() <= KEPT else None


class Outputs:
    """What is kept of the batches of a split, such as logits and labels, from all ranks."""

    def __init__(self) -> None:
        self.logits: list[Tensor] = []
        self.labels: list[Tensor] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take a batch: logits (B, K), labels (B,), or what another task keeps in their place."""
        self.logits.append(logits.detach().float())
        self.labels.append(labels)

    def take(self, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """All logits (N, width) and labels (N,) of all ranks, and begin anew."""
        logits = torch.cat(self.logits) if self.logits else torch.empty(0, width, device=device)
        labels = torch.cat(self.labels) if self.labels else torch.empty(0, dtype=torch.int64, device=device)
        self.logits, self.labels = [], []
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            logits, labels = torch.cat(gather_all_tensors(logits)), torch.cat(gather_all_tensors(labels))
        return logits, labels
