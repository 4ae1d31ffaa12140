"""Draw the paths of optimizers on three surfaces that show the problems of gradient descent."""

from collections.abc import Callable

import torch
import yaml
from torch import Tensor, nn

from imagelab.config import menu
from imagelab.optimizer.build import build_optimizer
from imagelab.pages.line_plot import line_plot, side_by_side

STEPS = 60
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
KNOBS = {"decay_norm_bias": False, "lr_scaling": "none", "lr_base_batch": 256}
Surface = Callable[[Tensor, Tensor], Tensor]


def valley(x: Tensor, y: Tensor) -> Tensor:
    """Forty times as steep across as along."""
    return (x**2 + 40 * y**2) / 2


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """Down to a saddle point at 0 along x, and down from it along y, to minima at y = -1 and 1."""
    return x**2 / 2 + y**4 / 4 - y**2 / 2


def bowl(x: Tensor, y: Tensor) -> Tensor:
    """Equally steep in both directions."""
    return (x**2 + y**2) / 2


# Surface, start, and the rate of each optimizer on it; noise: standard deviation of each gradient.
SCENES: dict[str, tuple[Surface, tuple[float, float], float, dict[str, float]]] = {
    "valley": (valley, (-2.0, 0.5), 0.0, {"sgd": 0.048, "momentum": 0.012, "nesterov": 0.012}),
    "saddle": (saddle, (-1.5, 1e-3), 0.0, {"sgd": 0.1, "momentum": 0.1, "nesterov": 0.1}),
    "noise": (bowl, (-2.0, 1.5), 1.0, {"sgd": 0.2, "momentum": 0.02, "nesterov": 0.02}),
}
ADAPTIVE = {"adagrad": 0.3, "rmsprop": 0.05, "adam": 0.1}


def path(scene: str, name: str) -> list[tuple[float, float]]:
    """The points that an optimizer visits in a scene, the start first."""
    surface, start, noise, rates = SCENES[scene]
    net = nn.Module()
    point = nn.Parameter(torch.tensor(start))
    net.register_parameter("point", point)
    node = yaml.safe_load((menu.folder() / "optimizer" / f"{name}.yaml").read_text(encoding="utf-8"))
    node |= {"lr": (rates | ADAPTIVE)[name], **KNOBS}
    make, groups = build_optimizer(node, net, batch=1)
    optimizer, draws = make(groups), torch.Generator().manual_seed(0)
    points = [start]
    for _ in range(STEPS):
        gradient = torch.autograd.grad(surface(point[0], point[1]), point)[0]
        point.grad = gradient + noise * torch.randn(2, generator=draws)
        optimizer.step()
        x, y = point.tolist()
        points.append((round(x, 4), round(y, 4)))
    return points


def picture(scene: str) -> str:
    """The path of every optimizer in a scene, each in a panel; all panels have the same y axis."""
    paths = {name: path(scene, name) for name in OPTIMIZERS}
    heights = [y for points in paths.values() for _, y in points]
    limits = (min(heights), max(heights))
    plots = []
    for name, points in paths.items():
        line = {name: ([x for x, _ in points], [y for _, y in points])}
        panel = line_plot(line, title=name, x_label="x", y_label="y", y_limits=limits, width=240, height=180)
        plots.append(panel)
    return side_by_side(plots, columns=3, width=240, height=180)
