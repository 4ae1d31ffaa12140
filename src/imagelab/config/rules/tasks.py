"""What learning without labels cannot go with, and what it is judged by."""

from collections.abc import Callable, Iterator

from imagelab.config import menu
from imagelab.config.rules.tricks import target
from imagelab.config.schema import Node

WITHOUT_LABELS = ("Autoencoder", "SimCLR")
MIXES = ("Mixup", "CutMix", "CopyPaste")


def task_name(cfg: Node) -> str:
    """The choice of a config, as its module is called.

    >>> task_name({"task": {"_target_": "imagelab.task.simclr.SimCLR"}})
    'simclr'
    """
    return str(cfg["task"]["_target_"]).split(".")[-2]


def without_labels(cfg: Node) -> bool:
    """Whether the task is one that needs no labels."""
    return target(cfg["task"]) in WITHOUT_LABELS


def _labels_are_not_mixed(cfg: Node) -> Iterator[str]:
    names = [name for name, node in cfg["augment"].items() if target(node) in MIXES]
    if names and without_labels(cfg):
        yield (
            f"augment: {' and '.join(names)} blend{'s' * (len(names) == 1)} images with their labels, and "
            f"task={task_name(cfg)} learns without any; leave {'it' if len(names) == 1 else 'them'} out"
        )


def _views_differ(cfg: Node) -> Iterator[str]:
    if target(cfg["task"]) != "SimCLR":
        return
    if not cfg["augment"]:
        yield (
            "augment: task=simclr compares two augmented views of each image, and without any augmentation "
            "they are the same; say augment=[crop,flip,color_jitter], or what else shall not matter"
        )
    if cfg["data"]["batch_size"] == 1:
        yield (
            "data.batch_size: task=simclr tells the images of a batch from each other, got batches of 1; "
            "say 256 or more"
        )


def _loss_is_used(cfg: Node) -> Iterator[str]:
    choice = menu.questions("train")["loss"]
    if without_labels(cfg) and cfg["loss"] != menu.load(menu.folder() / "loss" / f"{choice}.yaml"):
        yield f"loss: task={task_name(cfg)} has a loss of its own; leave loss out"


def _no_labels_to_fine_tune_by(cfg: Node) -> Iterator[str]:
    if without_labels(cfg) and cfg["finetune"] is not None:
        yield (
            f"finetune: task={task_name(cfg)} puts an end of its own to the network, and trains all of it; "
            "leave one of the two out"
        )


def _no_labels_to_begin_with(cfg: Node) -> Iterator[str]:
    names = [name for name, node in cfg["trick"].items() if target(node) == "HeadBias"]
    if names and without_labels(cfg):
        yield (
            f"trick.{names[0]}: it sets the bias of a head to the frequencies of classes, and "
            f"task={task_name(cfg)} learns without labels; leave it out"
        )


TASK_RULES: list[Callable[[Node], Iterator[str]]] = [
    _labels_are_not_mixed,
    _views_differ,
    _loss_is_used,
    _no_labels_to_fine_tune_by,
    _no_labels_to_begin_with,
]
