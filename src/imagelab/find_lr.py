"""Run the command `find_lr`: suggest a learning rate by a range test. Takes the overrides of `train`.

imagelab find_lr model=resnet9 optimizer=momentum
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagelab import launch
from imagelab.config import schema
from imagelab.config.rules.generators import refuse_generators  # room: generators
from imagelab.config.schema import Node
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.finders.lr_rule import Curve


@dataclass(frozen=True, kw_only=True)
class FindLr(schema.Run):
    """The root keys of configs/find_lr.yaml."""

    start: float
    end: float
    steps: int


def main() -> None:
    """Find a learning rate."""
    launch.run_hydra(start, "find_lr", FindLr)


def start(cfg: Node, folder: Path) -> None:
    """Write find_lr.json, find_lr.html and find_lr.svg into a new folder; show the override to paste."""
    refuse_generators(cfg, "find_lr")  # room: generators
    from imagelab.finders.lr_findings import findings, picture, summary
    from imagelab.logger.reporting import loggers_of
    from imagelab.pages.page import Section
    from imagelab.pages.publish import publish

    curve, groups = run_range_test(cfg, folder)
    plot = picture(curve, cfg["optimizer"]["lr"])
    (folder / "find_lr.svg").write_text(plot, encoding="utf-8")
    about = "The loss before the step at each rate, raw, and without the noise between batches."
    publish(
        folder,
        "find_lr",
        title="Learning-rate range test",
        summary=summary(curve),
        findings=findings(curve, cfg, groups),
        sections=[Section("Loss at each rate", about, plot)],
        loggers=loggers_of(cfg, folder),
    )
    screen.say(summary(curve).replace("`", ""))


def run_range_test(cfg: Node, folder: Path) -> tuple["Curve", dict[str, float]]:
    """Run a range test for a config; also return the rate of each parameter group over `optimizer.lr`."""
    from imagelab.build import build, build_tricks
    from imagelab.finders.lr_range import ladder, one_device, range_test, refuse_line_search
    from imagelab.training.stop import StopRequest

    refuse_line_search(cfg)
    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    cfg = one_device(cfg | {"logger": {}}, folder)
    parts = build(cfg, folder, StopRequest())
    tricks = [*build_tricks(cfg["trick"], folder=folder, seed=cfg["seed"]).values()]
    rates = ladder(cfg["start"], cfg["end"], cfg["steps"])
    curve = range_test(cfg, parts.data, parts.classifier, folder=folder, tricks=tricks, rates=rates)
    peak = cfg["optimizer"]["lr"]
    return curve, {group["name"]: group["lr"] / peak for group in parts.classifier.groups}


if __name__ == "__main__":
    main()
