"""Write docs/pictures: what a choice does, drawn. `make docs` writes all of them.

Each picture is a function that returns the text of an SVG file, always the same.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from imagelab.build import make
from imagelab.config import menu
from imagelab.model.init import SCHEMES, init_weights
from imagelab.model.lsuv import lsuv
from imagelab.pages.line_plot import line_plot, side_by_side
from imagelab.training.step_plan import StepPlan
from scripts import paths

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
INITS = ["default", *SCHEMES, "lsuv"]
LAYERS, WIDTH, SAMPLES = 20, 512, 256
PANEL: Any = {"width": 240, "height": 180}
EPOCHS, STEPS, STALL = 20, 10, 6  # of the run that is drawn: steps an epoch; the epoch after which it stalls


def init(activation: Callable[[], nn.Module], name: str) -> str:
    """How large activations are, layer by layer, for every choice of model.init."""
    layers = range(1, LAYERS + 1)
    return line_plot(
        {scheme: (layers, [float(a.std()) for a in activations(scheme, activation)]) for scheme in INITS},
        title=f"model.init: activations through {LAYERS} linear layers of {WIDTH} units, each with {name}",
        x_label="layer",
        y_label="standard deviation",
        log_y=True,
    )


@torch.no_grad()
def activations(scheme: str, activation: Callable[[], nn.Module]) -> list[torch.Tensor]:
    """What leaves the activation of each layer, (SAMPLES, WIDTH) float64, for inputs of variance 1."""
    torch.manual_seed(0)
    x = torch.randn(SAMPLES, WIDTH)
    layers = [layer for _ in range(LAYERS) for layer in (nn.Linear(WIDTH, WIDTH), activation())]
    if scheme == "lsuv":
        lsuv(nn.Sequential(*layers), x)
    elif scheme != "default":
        init_weights(nn.Sequential(*layers), scheme)
    outputs = []
    for layer in layers:
        x = layer(x)
        outputs.append(x.double())
    return outputs[1::2]


def schedules() -> str:
    """The factor on the rate at every step of a run, for every choice of schedule with its own values.

    For plateau, val/loss stalls after a third of the run.
    """
    step_plan = StepPlan(batches=STEPS, windows=[1] * EPOCHS, images=1)
    history = [{"val/loss": 1 - min(epoch, STALL) / (2 * STALL)} for epoch in range(EPOCHS)]
    epochs, plots = [step / STEPS for step in range(step_plan.total)], []
    for choice in menu.choices("schedule"):
        node = yaml.safe_load((menu.folder() / "schedule" / f"{choice}.yaml").read_text(encoding="utf-8"))
        schedule = make(node, seed=0)
        factors = [
            schedule.scale(step, step_plan, history[: step // STEPS]) for step in range(step_plan.total)
        ]
        line = {choice: (epochs, factors)}
        plots.append(
            line_plot(line, title=choice, x_label="epoch", y_label="factor", y_limits=(0, 1), **PANEL)
        )
    return side_by_side(plots, columns=4, **PANEL)


PICTURES: dict[str, Callable[[], str]] = {
    "init": lambda: init(nn.ReLU, "ReLU"),
    "init_tanh": lambda: init(nn.Tanh, "tanh"),
    "schedules": schedules,
    **{f"paths_{scene}": partial(paths.picture, scene) for scene in paths.SCENES},
}


def write() -> None:
    """Write every picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, drawn in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(drawn(), encoding="utf-8")
    print(f"{len(PICTURES)} pictures in docs/{FOLDER.name} are up to date.")


if __name__ == "__main__":
    write()
