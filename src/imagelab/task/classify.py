"""Tell classes apart: each image has a label, and the network learns to give it."""

from collections.abc import Callable

from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.metrics.classification import split_metrics
from imagelab.problem import Problem

Forward = Callable[[Tensor], Tensor]
Criterion = Callable[[Tensor, Tensor], Tensor]


class Classify(nn.Module):
    """The task of a classifier: its outputs are logits, one for each class.

    A module, so that a loss with weights of its own moves to the device and into the checkpoint.

    Args:
        loss: Logits (B, K) and targets, (B,) int64 or (B, K) float -> mean loss.
        classes: Names, in the order of the labels.

    Raises:
        Problem: There is nothing to tell apart.
    """

    labelled, views = True, 1

    def __init__(self, *, loss: Criterion, classes: list[str]) -> None:
        if len(classes) < 2:
            raise Problem(
                f"data: at least 2 classes are needed to tell apart, found {len(classes)}: "
                f"{', '.join(classes)}; say task=autoencoder or task=simclr to learn without labels"
            )
        super().__init__()
        self.criterion = loss
        self.kept = len(classes)

    def head(self, features: int) -> None:
        """The network's own last layer makes the logits."""

    def loss(self, net: Forward, batch: Inputs) -> Tensor:
        """The mean loss of a training batch."""
        return self.criterion(net(batch.images), batch.targets)

    def correct(self, outputs: Tensor, batch: Inputs) -> Tensor:
        """Where the largest logit is that of the label; of mixed labels, that of the largest share."""
        targets = batch.targets
        return outputs.argmax(dim=1) == (targets.argmax(dim=1) if targets.is_floating_point() else targets)

    def outputs(self, net: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and labels (B,)."""
        return net(batch.images), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all logits and labels of a split."""
        return split_metrics(outputs, labels, self.criterion)
