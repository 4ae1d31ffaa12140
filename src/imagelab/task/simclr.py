"""SimCLR: two augmented views of an image should have similar features, views of other images different ones.

Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1, sections 2.1 and 4.2.
"""

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn import functional

from imagelab.contracts import Inputs
from imagelab.task.contract import Forward
from imagelab.task.unlabelled import Unlabelled


class SimCLR(Unlabelled):
    """A perceptron with one hidden layer projects the features; it takes the place of the last layer.

    Args:
        temperature: Divides the cosine of two views, > 0: the smaller, the more the closest images count.
        dim: Length of a projection, >= 2.
        batch: Images of a step over all devices: those of a split are compared in groups of as many, so that
            all losses are of as many other images.
    """

    views = 2
    compares_batch = True

    def __init__(self, *, temperature: float, dim: int, batch: int) -> None:
        self.temperature = temperature
        self.dim = dim
        self.batch = batch
        self.kept = 2 * dim

    def head(self, features: int) -> nn.Module:
        """(B, features) -> (B, dim), as in section 4.2."""
        return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, self.dim))

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """Over the images of all ranks, as one process with the whole batch would see them."""
        first, second = forward(batch.images).float().chunk(2)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            first, second = torch.cat(all_gather(first)), torch.cat(all_gather(second))
        return nt_xent(first, second, self.temperature)

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """The projections of both views, (B, 2 * dim), and the images' places in the split, (B,)."""
        first, second = forward(batch.images).chunk(2)
        return torch.cat([first, second], dim=1), batch.index[: len(first)]

    def metrics(self, outputs: Tensor, places: Tensor) -> dict[str, Tensor]:
        """Of all projections of a split, whatever batches they came in."""
        size = min(self.batch, len(places))
        groups = -(-len(places) // size)
        order = places.argsort()
        spread = torch.cat([order[first::groups] for first in range(groups)])  # each group has of all classes
        whole = torch.cat([spread, spread])[: groups * size]  # the last group is filled up from the first
        losses = [self._compared(outputs[group]) for group in whole.split(size)]
        return {"loss": torch.stack(losses).mean()}

    def _compared(self, both: Tensor) -> Tensor:
        first, second = both.chunk(2, dim=1)
        return nt_xent(first, second, self.temperature)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The normalised, temperature-scaled cross entropy: each view should find the other view of its image.

    Args:
        first: Projections (B, D) float of a view of each image.
        second: Those of the other view.
        temperature: Divides the cosines.
    """
    with torch.autocast(first.device.type, enabled=False):
        views = functional.normalize(torch.cat([first, second]), dim=1)
        cosines = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partners = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(cosines.masked_fill(itself, -torch.inf), partners)
