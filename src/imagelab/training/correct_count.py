"""Count the correctly classified training images of an epoch, without waiting for the device."""

import torch
from torch import Tensor


class CorrectCount:
    """Integer sums, exact in any order; stays empty if the task has no correct answers."""

    def __init__(self) -> None:
        self.correct: Tensor | int = 0
        self.images = 0

    def add(self, correct: Tensor | None) -> None:
        """Add the images of a batch, (B,) bool, without reading them; None: nothing to count."""
        if correct is not None:
            self.correct = self.correct + correct.count_nonzero()
            self.images += len(correct)

    def end_epoch(self) -> tuple[int, int]:
        """Return the numbers of correct and of all images in the epoch, and start a new epoch."""
        counts = int(self.correct), self.images
        self.correct, self.images = 0, 0
        return counts

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint within an epoch: the numbers of correct and of all images, (2,) int64."""
        return {"correct": torch.tensor([int(self.correct), self.images])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue where `state_dict` was taken."""
        self.correct, self.images = state["correct"].tolist()
