"""Learning-rate schedules: one file per family of curves."""

from imagelab.schedule.cosine import Cosine, CosineRestarts, LinearCosine, NoisyLinearCosine
from imagelab.schedule.curve import History, Progress, Schedule
from imagelab.schedule.cycle import Cyclic, OneCycle
from imagelab.schedule.decay import (
    Constant,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    Multistep,
    Polynomial,
    Sigmoid,
    Step,
)
from imagelab.schedule.plateau import Plateau

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "History",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "LinearCosine",
    "Multistep",
    "NoisyLinearCosine",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "Progress",
    "Schedule",
    "Sigmoid",
    "Step",
]
