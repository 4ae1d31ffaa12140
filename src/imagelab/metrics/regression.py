"""Measures predicted values against true ones, in their own units; means over several values.

Source: https://scikit-learn.org/stable/modules/model_evaluation.html#regression-metrics
"""

import torch
from torch import Tensor


def mae(predicted: Tensor, true: Tensor) -> Tensor:
    """The mean absolute error of values (N, V), in their unit."""
    return (predicted - true).abs().mean()


def rmse(predicted: Tensor, true: Tensor) -> Tensor:
    """The root of the mean squared error of values (N, V), in their unit."""
    return (predicted - true).square().mean(dim=0).sqrt().mean()


def r2(predicted: Tensor, true: Tensor) -> Tensor:
    """The share of the variance of values (N, V) that is explained; 0 for predicting the mean, 1 at best.

    A value that does not vary has 1 if it is predicted exactly, else 0.
    """
    left = (predicted - true).square().sum(dim=0)
    whole = (true - true.mean(dim=0)).square().sum(dim=0)
    alike = torch.where(left == 0, 1.0, 0.0)
    return torch.where(whole > 0, 1 - left / whole.clamp_min(torch.finfo(whole.dtype).tiny), alike).mean()
