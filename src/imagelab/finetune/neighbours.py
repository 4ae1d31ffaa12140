"""Measure how well features separate classes without training, by nearest neighbours.

Source: Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4: weighted k nearest neighbours.
"""

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.07  # as in the paper; the lower, the more the nearest neighbours count
PART = 512  # images compared with all others at a time


def neighbour_accuracy(features: Tensor, labels: Tensor, count: int) -> float:
    """Leave-one-out accuracy of weighted k nearest neighbours, in [0, 1].

    Args:
        features: Features of the images, (N, ...) float; compared by cosine similarity after centring.
        labels: Labels of the images, (N,) int64.
        count: Number of neighbours that vote, >= 1; at most all others.
    """
    flat = features.flatten(1).float()
    unit = functional.normalize(flat - flat.mean(dim=0), dim=1)
    votes = functional.one_hot(labels).float()
    right = 0
    for part in torch.arange(len(unit), device=unit.device).split(PART):
        alike = unit[part] @ unit.T
        alike[torch.arange(len(part)), part] = -torch.inf  # an image is not its own neighbour
        near, places = alike.topk(min(count, len(unit) - 1), dim=1)
        weights = (near / TEMPERATURE).exp()
        winners = (weights[:, :, None] * votes[places]).sum(dim=1).argmax(dim=1)
        right += int((winners == labels[part]).sum())
    return right / len(unit)


def chance(labels: Tensor) -> float:
    """Accuracy of always predicting the most frequent class, for labels (N,) int64.

    >>> chance(torch.tensor([0, 0, 0, 1]))
    0.75
    """
    return int(labels.bincount().max()) / len(labels)
