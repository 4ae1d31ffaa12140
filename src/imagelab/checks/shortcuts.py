"""Does something trivial tell the classes: a single pixel, the border, the size of a file, the colour?

A network learns what is easiest. Each candidate is a histogram: one half of a sample says which class goes
with which value, the other half whether that holds.

Source: Geirhos et al. 2020, https://arxiv.org/abs/2004.07780.
"""

import numpy as np
import torch
from torch import Tensor

from imagelab.checks.findings import NAMED, NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.data.files import Files
from imagelab.finding import Finding
from imagelab.problem import some_of

BINS, LEVELS = 16, 48  # values of a pixel; of a mean
FEWEST = 20  # images of a class in either half
TELLS, APART, LONE = 0.8, 3, 0.6  # F1 of a class; pixels; share of that F1 that is left so far away
MEAN_TELLS = 0.9  # mean F1 of the classes from one number of the whole image


def shortcuts(subject: Subject) -> Finding:
    """No class is told by a lone pixel, the border, the size or the mean colour of an image."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    pixels, labels, places = subject.small["train"]
    names = subject.data.classes
    counts = np.bincount(labels, minlength=len(names))
    if (counts >= 2 * FEWEST).sum() < 2:
        return fact(None, "too few images of each class to tell")
    expected = f"no class told with an F1 of {TELLS:g} by what lies {APART} pixels from nothing like it"
    fix = "look at images of this class: a mark, a frame, another source? Crop it, or collect them alike"
    lone = _lone_pixels(pixels, labels, names) or _border(pixels, labels, names)
    if lone:
        why = "the network can learn this instead of the content"
        return found("FAIL", some_of(lone, NAMED), expected=expected, why=why, fix=fix)
    images = subject.data.splits["train"]
    if isinstance(images, Files) and images.sizes is not None:
        score = _whole(_codes(images.sizes[places]), labels, len(names))
        if score > MEAN_TELLS:
            why = "the size of a file tells its class: resizing leaves other traces in each class"
            return found("FAIL", f"F1 {score:.2f} from the size", expected=expected, why=why, fix=fix)
    score = _whole(_levels(pixels.float().mean(dim=(2, 3))), labels, len(names))
    if score > MEAN_TELLS:
        why = "the mean colour alone tells the class: is that what should be learnt?"
        return found("WARN", f"F1 {score:.2f} from the mean colour", expected=expected, why=why, fix=fix)
    return found("OK", "none", expected=expected, why="no pixel, border, size or colour alone tells a class")


def told(codes: Tensor, labels: np.ndarray, classes: int) -> Tensor:
    """How well each feature tells each class from all others, (K, F): F1 in one half, learnt in the other.

    >>> codes = torch.tensor([[0, 5], [1, 5]] * 40)
    >>> told(codes, np.array([0, 1] * 40), 2)
    tensor([[1., 0.],
            [1., 0.]])

    Args:
        codes: Values of F features of N images, (N, F) int64 from 0.
        labels: Classes, (N,).
        classes: Number of classes, K.
    """
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    own = torch.eye(classes)[torch.from_numpy(labels)]
    halves = [(codes[part], own[part]) for part in order.chunk(2)]
    learnt, test = (
        torch.stack([(part == level).float().T @ mine for level in range(int(codes.max()) + 1)])
        for part, mine in halves
    )
    mine = 2 * learnt > learnt.sum(dim=2, keepdim=True)  # values of which most images are of the class
    right = (test * mine).sum(dim=0)
    said = (test.sum(dim=2, keepdim=True) * mine).sum(dim=0)
    whole = halves[1][1].sum(dim=0)
    scores = (2 * right / (said + whole).clamp(min=1)).T
    blind = (2 * whole / (whole + len(halves[1][1])))[:, None]  # F1 of saying this class for every image
    scores[whole < FEWEST] = 0
    return ((scores - blind) / (1 - blind).clamp(min=1e-6)).clamp(min=0)


def _lone_pixels(pixels: Tensor, labels: np.ndarray, names: list[str]) -> list[str]:
    side = pixels.shape[-1]
    if min(pixels.shape[-2:]) <= 2 * APART:
        return []
    values = pixels.long()
    codes = 1 + values * BINS // 256
    codes[values == 0] = 0
    codes[values == 255] = BINS + 1  # a mark is often black or white
    maps = told(codes.flatten(1), labels, len(names))
    maps = maps.unflatten(1, pixels.shape[1:]).amax(dim=1)
    best = maps.flatten(1).max(dim=1)
    marks = []
    for label, (score, place) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
        row, column = divmod(place, side)
        if score > TELLS and _away(maps[label], row, column) < LONE * score:
            marks.append(f"{names[label]} by the pixel in row {row}, column {column}")
    return marks


def _away(scores: Tensor, row: int, column: int) -> float:
    """The highest score among the pixels at a distance of APART from a place."""
    rows, columns = torch.meshgrid(*(torch.arange(size) for size in scores.shape), indexing="ij")
    return float(scores[torch.maximum((rows - row).abs(), (columns - column).abs()) == APART].max())


def _border(pixels: Tensor, labels: np.ndarray, names: list[str]) -> list[str]:
    depth = min(APART, min(pixels.shape[-2:]) // 4)
    outer, inner = (told(_levels(_ring(pixels, at)), labels, len(names)).amax(dim=1) for at in (0, depth))
    return [
        f"{name} by the border"
        for name, at, further in zip(names, outer.tolist(), inner.tolist(), strict=True)
        if at > TELLS and further < LONE * at
    ]


def _ring(pixels: Tensor, away: int) -> Tensor:
    """The mean of the pixels at a distance from the border, by channel: (N, C)."""
    part = pixels[..., away : pixels.shape[-2] - away, away : pixels.shape[-1] - away].float()
    inside = part[..., 1:-1, 1:-1]
    around = part.sum(dim=(2, 3)) - inside.sum(dim=(2, 3))
    return around / (part[0, 0].numel() - inside[0, 0].numel())


def _whole(codes: Tensor, labels: np.ndarray, classes: int) -> float:
    return float(told(codes, labels, classes).amax(dim=1).mean())


def _levels(values: Tensor) -> Tensor:
    """Values (N, F) as the numbers of LEVELS intervals with about as many images each."""
    ordered = values.sort(dim=0).values.T.contiguous()
    ranks = torch.searchsorted(ordered, values.T.contiguous()).T
    return ranks * LEVELS // len(values)


def _codes(sizes: np.ndarray) -> Tensor:
    """Sizes (N, 2) as numbers of the most frequent ones, (N, 1); all others share the last number."""
    _, which, counts = np.unique(sizes, axis=0, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-counts))
    return torch.from_numpy(rank[which.ravel()]).clamp(max=BINS - 1)[:, None]
