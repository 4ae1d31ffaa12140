"""Reopen the loggers of a run to show a report."""

from pathlib import Path
from typing import Any

from imagelab.terminal import screen

WANDB = "imagelab.logger.wandb.wandb_logger"


def loggers_of(cfg: dict[str, Any], folder: Path) -> list[Any]:
    """The loggers of a config that can show reports, for commands that do not train.

    Args:
        cfg: Config of the run, with the key `logger`.
        folder: Folder of the logger's files; in the folder of a run, logging continues that run.
    """
    nodes = [node for node in cfg["logger"].values() if node["_target_"] == WANDB]
    if not (nodes and screen.speaks()):
        return []
    from imagelab.config.make import make  # light commands need no Hydra

    return [make(node, folder=folder) for node in nodes]
