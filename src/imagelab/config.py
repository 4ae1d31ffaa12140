"""The questions of a run, and what each takes besides the keys of the chosen answer."""

from dataclasses import dataclass, field
from typing import Any, Literal

Group = dict[str, Any]


@dataclass
class Run:
    """The root keys of configs/train.yaml: the values live there, their types here."""

    seed: int
    monitor: str
    save_every: float
    resume: str | None
    data: Group = field(default_factory=dict)
    augment: Group = field(default_factory=dict)
    model: Group = field(default_factory=dict)
    loss: Group = field(default_factory=dict)
    optimizer: Group = field(default_factory=dict)
    schedule: Group = field(default_factory=dict)
    trick: Group = field(default_factory=dict)
    trainer: Group = field(default_factory=dict)
    logger: Group = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataKnobs:
    """What every data set takes besides the arguments of its source."""

    batch_size: int | Literal["full"]
    workers: int | Literal["auto"]
    size: int | None
    limit: int | None
    classes: list[str] | None
    balance: bool
    val_fraction: float
    test_fraction: float
    storage: Literal["auto", "memory", "files", "shrunk"]


@dataclass(frozen=True, kw_only=True)
class ModelKnobs:
    """What every network takes besides its own arguments."""

    weights: str | None
    activation: Literal["default", "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid"]
    norm: Literal["default", "batch", "frozen", "group", "none"]
    init: Literal[
        "default",
        "xavier_uniform",
        "xavier_normal",
        "kaiming_normal",
        "kaiming_uniform",
        "orthogonal",
        "trunc_normal",
        "small",
        "large",
    ]
    channels_last: bool


@dataclass(frozen=True, kw_only=True)
class OptimizerKnobs:
    """What every optimizer takes besides its own arguments."""

    decay_norm_bias: bool
    lr_scaling: Literal["none", "linear", "sqrt"]
    lr_base_batch: int


@dataclass(frozen=True, kw_only=True)
class TrainerKnobs:
    """What every trainer takes besides Lightning's arguments."""

    compile: bool


KNOBS = {"data": DataKnobs, "model": ModelKnobs, "optimizer": OptimizerKnobs, "trainer": TrainerKnobs}
