"""Measure predictions: metrics and calibration, as `evaluate` writes them."""

from typing import Any

import torch
from torch import Tensor, nn

from imagelab.build import build_task
from imagelab.config.schema import Node
from imagelab.evaluation.members import Member


def measured(predictions: Tensor, labels: Tensor, task: Any) -> Node:
    """Metrics and calibration of predictions (N, K), such as means over several networks.

    Args:
        predictions: Prediction for each image, (N, K).
        labels: True labels, (N,).
        task: Task with its loss.
    """
    outputs = task.as_outputs(predictions)
    metrics = {name: float(value) for name, value in task.metrics(outputs, labels).items()}
    return {"metrics": metrics, "calibration": task.calibration(outputs, labels)}


def judge(cfg: Node, data: Any, members: list[Member]) -> Any:
    """The task with its loss, and with the mean of the members' numbers, such as thresholds.

    Args:
        cfg: Config of the first member's run.
        data: Data of the first member.
        members: Members, all of a task that predicts.
    """
    task = build_task(cfg, data, ranks=1)
    for name, own in task.named_buffers(recurse=False) if isinstance(task, nn.Module) else ():
        theirs = [getattr(one.predictor.task, name)[one.order] for one in members]
        own.copy_(torch.stack(theirs).mean(dim=0))
    return task
