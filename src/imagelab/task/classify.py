"""Tell classes apart: each image has a label, and the network learns to give it."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from imagelab.contracts import Inputs
from imagelab.metrics.calibration import calibration
from imagelab.metrics.classification import split_metrics
from imagelab.problem import Problem
from imagelab.task.contract import Criterion, Forward

TINY = 1e-12  # a probability of 0 would have an infinite loss


class Classify(nn.Module):
    """The task of a classifier: its outputs are logits, one for each class.

    A module, so that a loss with weights of its own moves to the device and into the checkpoint.

    Args:
        loss: Logits (B, K) and targets, (B,) int64 or (B, K) float -> mean loss.
        classes: Names, in the order of the labels.

    Raises:
        Problem: There is nothing to tell apart.
    """

    takes = "class"
    views = 1
    predicts = "classes"
    columns = ("class", "probability")
    report = "imagelab.reports.of_classes.of_classes"  # room: reports

    def __init__(self, *, loss: Criterion, classes: list[str]) -> None:
        if len(classes) < 2:
            raise Problem(
                f"data: wants at least 2 classes, found {len(classes)}: {', '.join(classes)}"
                "; set task=autoencoder to learn without labels"  # room: task/autoencoder
            )
        super().__init__()
        self.criterion = loss
        self.names = classes
        self.kept = len(classes)

    def head(self, features: int) -> None:
        """The network's own last layer makes the logits."""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """The labels (B,) int64, or, to be mixed, the share of each class, (B, K) float."""
        return functional.one_hot(labels, classes).float() if mixed else labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """The class of each image, or the shares of its two largest where images are blended.

        >>> import torch
        >>> Classify.captions(torch.tensor([[0.25, 0.75], [1.0, 0.0]]), classes=["ant", "bee"])
        ['0.75 bee + 0.25 ant', 'ant']
        """
        if targets.ndim == 1:
            return [classes[label] for label in targets.tolist()]
        shares, labels = targets.float().topk(min(2, len(classes)), dim=1)
        return [
            classes[label[0]]
            if share[0] > 0.995
            else " + ".join(f"{s:.2f} {classes[k]}" for s, k in zip(share, label, strict=True) if s > 0.005)
            for share, label in zip(shares.tolist(), labels.tolist(), strict=True)
        ]

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """The mean loss of a training batch."""
        return self.criterion(forward(batch.images), batch.targets)

    def correct(self, outputs: Tensor, batch: Inputs) -> Tensor:
        """Where the largest logit is that of the label; of mixed labels, that of the largest share."""
        targets = batch.targets
        return outputs.argmax(dim=1) == (targets.argmax(dim=1) if targets.is_floating_point() else targets)

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and labels (B,)."""
        return forward(batch.images), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all logits and labels of a split."""
        return split_metrics(outputs, labels, self.criterion)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Logits -> probabilities of the classes."""
        return outputs.float().softmax(dim=-1)

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Probabilities -> their logarithms, which take the place of logits."""
        return predictions.clamp_min(TINY).log()

    def decisions(self, predictions: Tensor) -> Tensor:
        """Probabilities (..., K) -> the likeliest class, (...) int64."""
        return predictions.argmax(dim=-1)

    def wording(self, decision: Any) -> str:
        """The name of a class."""
        return self.names[decision]

    def summary(self, prediction: Tensor) -> list[str]:
        """The likeliest class and its probability."""
        best = int(self.decisions(prediction))
        return [self.names[best], f"{float(prediction[best]):.6f}"]

    def calibration(self, outputs: Tensor, labels: Tensor) -> dict[str, Any] | None:
        """How far probabilities can be trusted, and what one temperature changes; None of a single image.

        nll: mean cross entropy. ece: expected calibration error; interval: its 95% interval.
        temperature: what to divide logits by; before, after: the error of a half of the images, without and
        with it; helps: whether that lies beyond its interval.
        """
        if len(labels) < 2:
            return None
        found = calibration(outputs.numpy(), labels.numpy(), seed=0)
        own = self.predictions(outputs).gather(1, labels[:, None]).clamp_min(TINY)
        return {
            "nll": float(-own.log().mean()),
            "ece": found.ece,
            "interval": list(found.interval),
            "temperature": found.temperature,
            "before": found.before,
            "after": found.after,
            "helps": found.helps,
        }
