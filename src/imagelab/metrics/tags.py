"""Measures predictions of several classes per image, each class as a question of its own.

Means are over the classes that a split has images of: without any, nothing can be found.

Source: average precision as in https://scikit-learn.org/stable/modules/model_evaluation.html#precision-recall-f-measure-metrics.
"""

import torch
from torch import Tensor


def ap_macro(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over classes of the average precision of logits (N, K) for labels (N, K) bool, in [0, 1]."""
    found = average_precision(logits, labels)
    return found[~found.isnan()].mean() if len(found) else found.sum()


def average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    """The average precision of each class, (K,): precision over the steps of recall; NaN without images.

    Args:
        scores: (N, K) float; the higher, the likelier.
        labels: (N, K) bool.
    """
    found, _, steps = _ranked(scores.cpu().double(), labels.cpu())
    before = torch.cat([torch.zeros_like(found[:1]), found[:-1]])
    # Equal scores are one step: its gain is counted where it ends, at the precision there.
    known = torch.where(steps.roll(1, 0), before, -1.0)
    known[0] = 0.0
    gains = torch.where(steps, found - known.cummax(dim=0).values, 0.0)
    places = torch.arange(1, len(found) + 1)[:, None]
    return ((gains * found / places).sum(dim=0) / found[-1]).to(scores.device, torch.float32)


def best_thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The threshold of each class with the highest F1, (K,), halfway between two probabilities (N, K).

    A class without images in `labels` (N, K) bool keeps 0.5.

    >>> best_thresholds(torch.tensor([[0.1], [0.2], [0.4]]), torch.tensor([[False], [True], [True]]))
    tensor([0.1500])
    """
    found, ranked, steps = _ranked(probabilities.cpu().double(), labels.cpu())
    places = torch.arange(1, len(found) + 1)[:, None]
    scores = torch.where(steps, 2 * found / (places + found[-1]), -1.0)
    best = scores.argmax(dim=0, keepdim=True)
    after = torch.cat([ranked[1:], torch.zeros_like(ranked[:1])])
    middle = (ranked.gather(0, best) + after.gather(0, best))[0] / 2
    return torch.where(found[-1] > 0, middle, 0.5).to(probabilities)


def f1_by_class(decided: Tensor, labels: Tensor) -> Tensor:
    """F1 of each class, (K,), for decisions and labels (N, K) bool; NaN without images and decisions."""
    hits = (decided & labels).sum(dim=0)
    return 2 * hits / (decided.sum(dim=0) + labels.sum(dim=0))


def f1(decided: Tensor, labels: Tensor) -> Tensor:
    """The mean F1 over the classes with images, for decisions and labels (N, K) bool."""
    found = f1_by_class(decided, labels)[labels.any(dim=0)]
    return found.mean() if len(found) else found.sum()


def subset_accuracy(decided: Tensor, labels: Tensor) -> Tensor:
    """The share of images whose classes are all right, and none is missing."""
    return (decided == labels).all(dim=1).float().mean()


def _ranked(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class, by falling score: hits so far, scores, and whether the next score differs, (N, K)."""
    order = scores.argsort(dim=0, descending=True, stable=True)
    ranked = scores.gather(0, order)
    found = labels.gather(0, order).double().cumsum(dim=0)
    steps = torch.ones_like(labels)
    steps[:-1] = ranked[1:] != ranked[:-1]
    return found, ranked, steps
