# room: generators
"""Compare generated images with real ones by their features: how near, how varied, how complete.

The Fréchet distance is that of Heusel et al. 2017, https://arxiv.org/abs/1706.08500, section 2, but on other
features than those of Inception, so it is no FID. Precision and recall: Kynkäänniemi et al. 2019,
https://arxiv.org/abs/1904.06991, section 2; density and coverage: Naeem et al. 2020,
https://arxiv.org/abs/2002.09797, equations 4 and 5.
"""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

NEAREST = 5  # neighbours, as in Naeem et al., section 4
MOST = 5000  # images compared pair by pair


def generated_metrics(real: Tensor, fake: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Metrics of generated images by name; NaN of fewer than 7 images.

    Args:
        real: Features of real images, (N, F) float.
        fake: Features of as many generated images, (N, F) float, each of the class of a real one.
        labels: Classes, (N,) int64.
    """
    names = ("frechet", "precision", "recall", "density", "coverage", "diversity")
    if len(real) < NEAREST + 2:
        return {name: real.new_tensor(torch.nan) for name in names}
    near = neighbours(real[:MOST], fake[:MOST])
    return {"frechet": frechet(real, fake), "diversity": diversity(real, fake, labels)} | near


def frechet(real: Tensor, fake: Tensor) -> Tensor:
    """The Fréchet distance between the normal distributions of two sets of features (N, F), >= 0.

    >>> points = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> round(frechet(points, points + 3).item(), 3)
    18.0
    """
    # Every rank has all features here: gathering them once more would count each image once per rank.
    given = _Given(real.shape[1])
    measure = FrechetInceptionDistance(feature=given, sync_on_compute=False).set_dtype(torch.float64)
    measure.update(real.detach().cpu().double(), real=True)
    measure.update(fake.detach().cpu().double(), real=False)
    return measure.compute().clamp_min(0).to(real.device, torch.float32)


def neighbours(real: Tensor, fake: Tensor, nearest: int = NEAREST) -> dict[str, Tensor]:
    """Precision, recall, density and coverage of features (N, F) and (M, F), by balls around each image.

    A ball reaches to the k-th nearest neighbour of its own kind.

    Args:
        real: Features of real images.
        fake: Features of generated images.
        nearest: Number of neighbours, k.
    """
    across = torch.cdist(real, fake)
    of_real, of_fake = _reach(real, nearest), _reach(fake, nearest)
    inside = across <= of_real[:, None]  # (N, M): a generated image lies in the ball of a real one
    return {
        "precision": inside.any(dim=0).float().mean(),
        "recall": (across <= of_fake[None]).any(dim=1).float().mean(),
        "density": inside.float().sum(dim=0).mean() / nearest,
        "coverage": (across.min(dim=1).values <= of_real).float().mean(),
    }


def diversity(real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
    """Mean distance between generated images of one class, divided by that of real ones; 0: all are alike.

    Args:
        real: Features of real images, (N, F).
        fake: Features of generated images, (N, F).
        labels: Their classes, (N,) int64.
    """
    parts = [torch.nonzero(labels == label)[:, 0] for label in labels.unique()]
    spreads = [
        torch.stack([torch.pdist(images[part].float()).mean() for part in parts if len(part) > 1]).mean()
        for images in (fake, real)
    ]
    return spreads[0] / spreads[1]


def _reach(features: Tensor, nearest: int) -> Tensor:
    return torch.cdist(features, features).kthvalue(nearest + 1, dim=1).values  # itself is the first


class _Given(nn.Module):
    """What torchmetrics takes for a network: the features are there already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        return features
