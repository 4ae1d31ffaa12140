"""Counts the training images of an epoch that are classified correctly, without waiting for the device."""

import torch
from torch import Tensor


class CorrectCount:
    """Sums of integers, exact in any order; it stays empty where the task has no right answers."""

    def __init__(self) -> None:
        self.correct: Tensor | int = 0
        self.images = 0

    def add(self, correct: Tensor | None) -> None:
        """Take the images of a batch, (B,) bool, without looking at them; None: nothing to count."""
        if correct is not None:
            self.correct = self.correct + correct.count_nonzero()
            self.images += len(correct)

    def end_epoch(self) -> tuple[int, int]:
        """The correct images of the epoch and all of them; a new epoch begins."""
        counts = int(self.correct), self.images
        self.correct, self.images = 0, 0
        return counts

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint inside an epoch needs: the correct images and all of them, (2,) int64."""
        return {"correct": torch.tensor([int(self.correct), self.images])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue where `state_dict` was taken."""
        self.correct, self.images = state["correct"].tolist()
