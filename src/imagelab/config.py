"""The questions of a run, what every answer takes besides its own keys, and the mistakes in the answers."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from imagelab import check_config, rules
from imagelab.compose import plain
from imagelab.problem import Problem
from imagelab.signatures import Signature, from_import, from_source

Node = dict[str, Any]
Choice = dict[str, Any]  # the keys of the chosen answer
Choices = dict[str, Choice]  # several answers, by name, in order


@dataclass(frozen=True, kw_only=True)
class Run:
    """The root keys of configs/train.yaml: the values live there, their types here."""

    seed: int
    monitor: str
    save_every: float
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
    sweep: Choice | None
    launcher: Choice

    @classmethod
    def builds(cls, cfg: Node) -> set[str]:
        """The groups of a config whose choices the command builds: these are imported to be checked."""
        return set(cfg)


@dataclass(frozen=True, kw_only=True)
class DataKnobs:
    """What every data set takes besides the arguments of its source."""

    batch_size: int | Literal["full"]
    workers: int | Literal["auto"]
    size: int | None
    limit: int | None
    classes: list[str | int] | None  # 3 for the class named 3
    balance: bool
    val_fraction: float
    test_fraction: float
    folds: int | None
    fold: int | None
    decisions: str | None
    storage: Literal["auto", "memory", "files", "shrunk"]


@dataclass(frozen=True, kw_only=True)
class ModelKnobs:
    """What every network takes besides its own arguments."""

    weights: str | None
    stem: Literal["default", "small"]
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
        "lsuv",
    ]
    pool: Literal["default", "fractional_max"]
    dropout: float | None
    dropout2d: float | None
    stochastic_depth: float | None
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
MAY_CHANGE = ("data.root", "data.workers")  # in a run that goes on: they leave every number as it is


def problems(cfg: DictConfig | Node, root: type = Run) -> list[str]:
    """Every mistake of a composed config, a sentence each: what shows at once, else what takes imports.

    Args:
        cfg: As Hydra composed it, or plain dicts and lists.
        root: A dataclass: the root keys and their types.
    """
    node = plain(cfg)
    return quick_problems(node, root) or thorough_problems(node, root)


def quick_problems(node: Node, root: type = Run) -> list[str]:
    """Mistakes that show without importing what the config names: most of them, in a fraction of a second."""
    found = check_config.mistakes(node, from_source, root=root, knobs=KNOBS)
    if not issubclass(root, Run):
        return found
    told = [sentence.partition(": ")[0] for sentence in found]
    more = rules.problems(node, sound=not found)
    return found + [s for s in more if not any(key.startswith(s.partition(": ")[0]) for key in told)]


def thorough_problems(node: Node, root: type = Run) -> list[str]:
    """Mistakes that take imports: types with names of their own, targets that do not exist, devices."""
    takes_run = issubclass(root, Run)
    built = root.builds(node) if takes_run else set(node)
    spared = {target for group in node.keys() - built for target in _targets(node[group])}

    def lookup(target: str) -> Signature | None:
        return from_source(target) if target in spared else from_import(target)

    found = check_config.mistakes(node, lookup, root=root, knobs=KNOBS)
    return found + (rules.device_problems(node) if takes_run and "trainer" in built and not found else [])


def split(group: str, node: Node) -> tuple[Node, Node]:
    """A group's own keys, and the ones that every choice of the group takes.

    >>> split("trainer", {"max_epochs": 3, "compile": False})
    ({'max_epochs': 3}, {'compile': False})
    """
    shared = {field.name for field in fields(KNOBS[group])}
    own = {key: value for key, value in node.items() if key not in shared}
    return own, {key: value for key, value in node.items() if key in shared}


def changed(cfg: Node, changes: list[str]) -> Node:
    """The config of a run that goes on, with the few `key=value` that may differ from its start.

    Raises:
        Problem: A change would make it another run.
    """
    others = [word for word in changes if word.partition("=")[0].lstrip("+") not in MAY_CHANGE]
    if others:
        raise Problem(
            f"resume goes on with the run's own config; leave out {' '.join(others)} "
            f"(only {' and '.join(MAY_CHANGE)} may change)."
        )
    new = plain(OmegaConf.merge(cfg, OmegaConf.from_dotlist([word.lstrip("+") for word in changes])))
    found = quick_problems(new)
    if found:
        raise Problem("\n".join(found))
    return new


def _targets(node: Any) -> list[str]:
    """What a group's choice names at any depth."""
    if isinstance(node, list):
        return [target for item in node for target in _targets(item)]
    if not isinstance(node, dict):
        return []
    own = [node["_target_"]] if isinstance(node.get("_target_"), str) else []
    return own + [target for item in node.values() for target in _targets(item)]
