"""Train on growing shares of the training images, and fit a power law: what would more images bring?

The validation and test images stay the same, and a larger share holds all images of a smaller one.

Source: Hestness et al. 2017, https://arxiv.org/abs/1712.00409, section 2: error = floor + scale * n^-power.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from imagelab.config.monitor import monitored
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.runs import files
from imagelab.sweep.grid import Grid
from imagelab.sweep.repeats import metric_name, values_by_setup
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.trial import Row

LIMIT, FINDINGS = "data.train_limit", "learning_curve.json"
DRAWS = 200  # of the bootstrap
POWERS = np.arange(0.05, 2.01, 0.01)
LEAST = 1e-3  # errors below it weigh no more
FEWEST = 4  # shares that a law with three numbers needs


@dataclass(frozen=True, kw_only=True)
class Law:
    """Error at a share s of the training images: floor + scale * s^-power."""

    floor: float
    scale: float
    power: float

    def at(self, share: float) -> float:
        """The error at a share, which may be above 1."""
        return self.floor + self.scale * share**-self.power

    def enough(self, worth: float) -> float:
        """The share from which on twice the images lower the error by less than `worth`."""
        gain = self.scale * (1 - 2**-self.power)
        return 0.0 if gain <= 0 or self.power <= 0 else (gain / worth) ** (1 / self.power)


class LearningCurve(Grid):
    """One run per share and seed.

    Args:
        shares: Shares of the training images, rising; 1 is all of them.
        worth: Smallest gain in the metric that is worth twice the images, > 0.
        seeds: Number of runs per share, unless the command line lists seeds.
    """

    def __init__(self, *, shares: list[float], worth: float, seeds: int) -> None:
        super().__init__(points=0, space=None)
        if len(shares) < FEWEST or sorted(set(shares)) != shares or not (shares[0] > 0 and shares[-1] <= 1):
            raise Problem(f"sweep.shares: wants {FEWEST} or more rising shares in (0, 1], got {shares}")
        self.shares, self.worth, self.seeds = shares, worth, seeds
        self.monitor = ""

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        super().searched(typed, cfg)
        for key in typed:
            if key != "seed":
                raise Problem(
                    f"{key}: sweep=learning_curve changes the number of images only; set a single value"
                )
        self.monitor = monitored(cfg)
        return {LIMIT: ",".join(_word(share) for share in self.shares), "seed": f"range(0,{self.seeds})"}

    def closing(self, rows: Sequence[Row]) -> list[RenderableType]:
        """Write learning_curve.json, and return what the law says."""
        name = metric_name(rows, self.monitor)
        by_word = {dict(setup)[LIMIT]: values for setup, values in values_by_setup(rows, name).items()}
        errors = {
            share: [value if self.lower else 1 - value for value in by_word[_word(share)].values()]
            for share in self.shares
            if _word(share) in by_word
        }
        if len(errors) < FEWEST:
            return [Text(f"No law is fitted: {len(errors)} shares have finished, and it needs {FEWEST}.\n")]
        laws = [fit(errors), *resampled(errors)]
        double = [law.at(1.0) - law.at(2.0) for law in laws]
        low, high = np.quantile(double[1:], [0.025, 0.975]).tolist()
        enough = laws[0].enough(self.worth)
        files.write_json(
            self.folder / FINDINGS,
            {
                "metric": name,
                "errors": {str(share): values for share, values in errors.items()},
                "law": vars(laws[0]),
                "twice_the_images": {"gain": double[0], "low": low, "high": high},
                "enough_at_share": enough,
            },
        )
        rest = "already" if enough <= 1 else f"at {enough:.3g} times the images"
        lines = [
            f"  {share:>6.3g} of the images  error {np.mean(values):.4f}" for share, values in errors.items()
        ]
        lines += [
            f"  error = {laws[0].floor:.4f} + {laws[0].scale:.4f} * share^-{laws[0].power:.3f}",
            f"  Twice the images: {double[0]:.4f} less ({low:.4f} to {high:.4f}, 95% interval).",
            f"  Doubling them brings less than {self.worth:g} {rest}.",
        ]
        return [Text("\n".join([f"Learning curve of {name}:", *lines, ""]))]


def fit(errors: Mapping[float, Sequence[float]]) -> Law:
    """The law that fits best, by weighted least squares for each power of a grid; the floor is >= 0.

    >>> law = fit({share: [0.02 + 0.1 * share**-0.5] for share in (0.1, 0.2, 0.4, 0.7, 1.0)})
    >>> round(law.floor, 3), round(law.scale, 3), round(law.power, 3)
    (0.02, 0.1, 0.5)
    """
    shares = np.repeat([*errors], [len(values) for values in errors.values()])
    found = np.concatenate([np.asarray(values, float) for values in errors.values()])
    weights = 1 / np.maximum(found, LEAST)
    x = shares ** -POWERS[:, None]  # (powers, runs)
    mean = (x @ weights / weights.sum())[:, None]
    level = found @ weights / weights.sum()
    scale = ((x - mean) * (found - level)) @ weights / ((x - mean) ** 2 @ weights)
    floor = level - scale * mean[:, 0]
    alone = (x * found) @ weights / (x**2 @ weights)
    below = floor < 0
    floor, scale = np.where(below, 0.0, floor), np.where(below, alone, scale)
    costs = (floor[:, None] + scale[:, None] * x - found) ** 2 @ weights
    place = int(costs.argmin())
    return Law(floor=float(floor[place]), scale=float(scale[place]), power=float(POWERS[place]))


def resampled(errors: Mapping[float, Sequence[float]]) -> list[Law]:
    """Laws fitted to errors drawn anew: those of the law, with its own scatter drawn with replacement."""
    law = fit(errors)
    rng = stream(0, "learning curve")
    scatter = np.concatenate(
        [(np.asarray(values) - law.at(share)) / max(law.at(share), 1e-9) for share, values in errors.items()]
    )
    laws = []
    for _ in range(DRAWS):
        drawn = {
            share: [law.at(share) * (1 + off) for off in rng.choice(scatter, len(values))]
            for share, values in errors.items()
        }
        laws.append(fit(drawn))
    return laws


def _word(share: float) -> str:
    return "null" if share == 1 else f"{share:g}"
