"""Log outputs, dead units, gradients and updates per layer throughout training.

Source: Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, sections 3 and 4.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from torch import Tensor

from imagelab.contracts import Inputs
from imagelab.pages.line_plot import Points, line_plot, side_by_side
from imagelab.randomness import seed_step
from imagelab.terminal import screen
from imagelab.training import activation_health
from imagelab.training.activation_health import Finding, Numbers
from imagelab.training.preserve import preserve_state
from imagelab.training.step_plan import closes_step

NAME = "activation_stats"
IMAGES = 32  # most images of a batch to compute outputs for
STATISTICS = ("mean", "std", "dead", "gradient_norm", "update_ratio")
PLOTS = {"std": "std of the outputs", "dead": "fraction of dead units"}
PLOTS |= {"gradient_norm": "norm of the gradient", "update_ratio": "update / weight"}
REMEDY = {
    "growth": "try model.init=kaiming_normal or lsuv, or model.norm=batch",
    "dead": "try a tenth of optimizer.lr, or model.activation=leaky_relu",
}


class ActivationStats(Callback):
    """Log `activation/<layer>/mean`, `/std`, `/dead`, `/gradient_norm` and `/update_ratio`.

    Outputs are those of a training batch before the step, in training mode. Gradients are those of the whole
    step, over all its batches and ranks, before clipping; updates are what the optimizer makes of them.
    Values that are too small or too large are reported once; images/activation_stats.svg shows all of them.

    Args:
        layers: Number of layers to watch, >= 2: the first, the last, and others evenly spaced between.
        every: Optimizer steps between two records, >= 1; the first step is always recorded.
        folder: Folder of the run.
    """

    watches_layers = True
    needs_plain_pass = True

    def __init__(self, *, layers: int, every: int, folder: Path) -> None:
        self.layers = layers
        self.every = every
        self.folder = folder
        self.names: list[str] = []
        self.due = False
        self.stats: activation_health.Stats = {}  # of the step being recorded
        self.before: dict[str, Tensor] = {}
        self.steps: list[int] = []  # steps recorded so far, with their numbers in `found`
        self.found: list[Numbers] = []
        self.warned: list[str] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.names = activation_health.layers_to_watch(pl_module.net, self.layers)

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Inputs, batch_idx: int) -> None:
        step = trainer.global_step + 1
        self.due = closes_step(trainer, batch_idx) and (step == 1 or step % self.every == 0)
        if self.due:
            self.before = activation_health.weights_of(pl_module.net, self.names)
            seed_step(pl_module.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
            self.stats = outputs_of(trainer, pl_module, batch.images[:IMAGES], self.names)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        if self.due:
            for name, norm in activation_health.gradient_norms(pl_module.net, self.names).items():
                self.stats.setdefault(name, {})["gradient_norm"] = norm

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.due:
            return
        for name, ratio in activation_health.update_ratios(pl_module.net, self.before).items():
            self.stats.setdefault(name, {})["update_ratio"] = ratio
        found = activation_health.numbers(
            {name: self.stats[name] for name in self.names if name in self.stats}
        )
        self.steps.append(trainer.global_step)
        self.found.append(found)
        self.stats = {}
        self.before = {}
        self.due = False
        pl_module.write(
            {f"activation/{layer}/{name}": v for layer, s in found.items() for name, v in s.items()}
        )
        self._warn(trainer.global_step, activation_health.findings(found))

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero and self.steps:
            path = self.folder / "images" / f"{NAME}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(picture(self.steps, self.found), encoding="utf-8")

    def state_dict(self) -> dict[str, Any]:
        layers = list(dict.fromkeys(layer for one in self.found for layer in one))
        values = [
            [[found.get(layer, {}).get(name, np.nan) for name in STATISTICS] for layer in layers]
            for found in self.found
        ]
        table = torch.tensor(values, dtype=torch.float64)
        return {"steps": self.steps, "layers": layers, "values": table, "warned": self.warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.warned = state_dict["steps"], state_dict["warned"]
        self.found = [
            {
                layer: {name: v for name, v in zip(STATISTICS, row, strict=True) if not np.isnan(v)}
                for layer, row in zip(state_dict["layers"], table, strict=True)
            }
            for table in state_dict["values"].tolist()
        ]

    def _warn(self, step: int, findings: list[Finding]) -> None:
        for finding in findings:
            if finding.name not in self.warned:
                self.warned.append(finding.name)
                screen.say(
                    f"{NAME}, step {step}: {finding.sentence} (expected {finding.expected}); "
                    f"{REMEDY[finding.name]}."
                )


@torch.no_grad()
def outputs_of(trainer: Trainer, module: Any, images: Tensor, names: list[str]) -> activation_health.Stats:
    """Statistics of the outputs of layers for a batch; the module keeps its mode, and is left unchanged."""
    with preserve_state(module), trainer.precision_plugin.forward_context():
        with activation_health.watching(module.net, names) as stats:
            module(images)
        return stats


def picture(steps: list[int], found: list[Numbers]) -> str:
    """Plot each statistic, with one line per layer."""
    plots = []
    for name, title in PLOTS.items():
        lines = {layer: values_of(steps, found, layer, name) for layer in layers_of(found, name)}
        share = name == "dead"
        if lines and (share or any(value > 0 for _, values in lines.values() for value in values)):
            limits = (0.0, 1.0) if share else ()
            plots.append(
                line_plot(lines, title=title, x_label="step", y_label=title, log_y=not share, y_limits=limits)
            )
    return side_by_side(plots, columns=2, width=760, height=440)


def layers_of(found: list[Numbers], name: str) -> list[str]:
    """The layers for which a statistic was recorded, in the network's order."""
    return list(dict.fromkeys(layer for one in found for layer, values in one.items() if name in values))


def values_of(steps: list[int], found: list[Numbers], layer: str, name: str) -> Points:
    """The steps at which a statistic of a layer was recorded, and its values."""
    pairs = [
        (step, one[layer][name]) for step, one in zip(steps, found, strict=True) if name in one.get(layer, {})
    ]
    return [step for step, _ in pairs], [value for _, value in pairs]
