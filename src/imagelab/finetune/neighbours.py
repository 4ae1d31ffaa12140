"""How well features tell classes apart as they are: each image takes the class of its nearest neighbours.

Source: Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4: weighted k nearest neighbours.
"""

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.07  # the paper's: how much more the nearest of the neighbours count
PART = 512  # images compared at once with all others


def neighbour_accuracy(features: Tensor, labels: Tensor, count: int) -> float:
    """The share of images whose class their nearest neighbours among the others agree on, in [0, 1].

    Args:
        features: (N, ...) float; compared by the cosine of their differences from the mean.
        labels: (N,) int64.
        count: Of the neighbours that vote, >= 1; at most all others do.
    """
    flat = features.flatten(1).float()
    unit = functional.normalize(flat - flat.mean(dim=0), dim=1)
    votes = functional.one_hot(labels).float()
    right = 0
    for part in torch.arange(len(unit), device=unit.device).split(PART):
        alike = unit[part] @ unit.T
        alike[torch.arange(len(part)), part] = -torch.inf  # an image is no neighbour of its own
        near, places = alike.topk(min(count, len(unit) - 1), dim=1)
        weights = (near / TEMPERATURE).exp()
        winners = (weights[:, :, None] * votes[places]).sum(dim=1).argmax(dim=1)
        right += int((winners == labels[part]).sum())
    return right / len(unit)


def chance(labels: Tensor) -> float:
    """The share of images that are right when all are taken for the most frequent class: labels (N,) int64.

    >>> chance(torch.tensor([0, 0, 0, 1]))
    0.75
    """
    return int(labels.bincount().max()) / len(labels)
