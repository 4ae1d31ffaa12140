"""Schema of the config: the root keys, and the keys that every choice of a group shares."""

from dataclasses import dataclass, fields
from typing import Any, Literal

Node = dict[str, Any]  # a part of a config: keys and values, as YAML holds them


Choice = dict[str, Any]  # the keys of the choice made


Choices = dict[str, Choice]  # several choices, by name, in order


@dataclass(frozen=True, kw_only=True)
class Run:
    """Types of the root keys of configs/train.yaml, which holds their values."""

    seed: int
    monitor: str
    save_every: float
    save_top: int
    resume: str | None
    data: Choice
    task: Choice
    augment: Choices
    model: Choice
    loss: Choice
    optimizer: Choice
    schedule: Choice
    finetune: Choice | None
    trick: Choices
    trainer: Choice
    logger: Choices
    sweep: Choice | None  # room: sweep
    launcher: Choice  # room: sweep

    @classmethod
    def builds(cls, cfg: Node) -> set[str]:
        """The groups whose choices the command builds; only these are imported for the check."""
        return set(cfg)


@dataclass(frozen=True, kw_only=True)
class DataKnobs:
    """Keys of every data set besides the arguments of its source."""

    batch_size: int | Literal["full"]
    workers: int | Literal["auto"]
    size: int | None
    channels: Literal["grey", "colour"] | None
    mask: list[list[float]] | None
    crop: float | None
    limit: int | None
    train_limit: float | None
    classes: list[str | int] | None  # 3 for the class named 3
    balance: bool
    val_fraction: float
    test_fraction: float
    folds: int | None
    fold: int | None
    decisions: str | None
    extra: str | None
    extra_share: float | None
    max_pixels: int
    storage: Literal["auto", "memory", "files", "shrunk"]


@dataclass(frozen=True, kw_only=True)
class ModelKnobs:
    """Keys of every model besides its own arguments."""

    weights: str | None
    stem: Literal["default", "small"]
    activation: Literal["default", "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid"]
    slope: float | None
    norm: Literal["default", "batch", "frozen", "group", "instance", "weight", "spectral", "none"]
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
        "lsuv",
    ]
    pool: Literal["default", "fractional_max"]
    pool_ratio: float | None
    dropout: float | None
    dropout2d: float | None
    stochastic_depth: float | None
    channels_last: bool


@dataclass(frozen=True, kw_only=True)
class OptimizerKnobs:
    """Keys of every optimizer besides its own arguments."""

    decay_norm_bias: bool
    lr_scaling: Literal["none", "linear", "sqrt"]
    lr_base_batch: int


@dataclass(frozen=True, kw_only=True)
class TrainerKnobs:
    """Keys of every trainer besides Lightning's arguments."""

    compile: bool
    on_oom: Literal["stop", "halve"]


KNOBS = {"data": DataKnobs, "model": ModelKnobs, "optimizer": OptimizerKnobs, "trainer": TrainerKnobs}


def split(group: str, node: Node) -> tuple[Node, Node]:
    """Split the keys of a node into its own and those that all choices of the group share.

    >>> split("trainer", {"max_epochs": 3, "compile": False})
    ({'max_epochs': 3}, {'compile': False})
    """
    shared = {field.name for field in fields(KNOBS[group])}
    own = {key: value for key, value in node.items() if key not in shared}
    return own, {key: value for key, value in node.items() if key in shared}
