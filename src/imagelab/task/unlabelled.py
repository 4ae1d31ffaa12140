"""What tasks that learn without labels have in common: they take none, and their networks predict nothing."""

from torch import Tensor

from imagelab.contracts import Inputs


class Unlabelled:
    """The ends of a task at which labels would stand."""

    takes = ""
    predicts = ""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """The targets come from the images; nothing looks at these."""
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """There is nothing to say of an image."""
        return [""] * len(targets)

    def correct(self, outputs: Tensor, batch: Inputs) -> None:
        """Without labels, no answer is correct or wrong."""
