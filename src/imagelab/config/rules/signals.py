"""Refuse columns beside the images where a task, or pictures without a table, cannot have them."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node

KEY, IMAGE = "data.signals", "image"
TAKES = ("class", "multilabel", "values")


def columns_beside(cfg: Node) -> list[str]:
    """The columns that the network sees besides the image."""
    return [name for name in cfg["data"].get("signals") or [] if name != IMAGE]


def _the_task_looks_at_one_image_at_a_time(cfg: Node) -> Iterator[str]:
    said = says(cfg["task"])
    fits = said.takes in TAKES and said.views == 1
    fits = fits and not said.generates  # room: generators
    if not fits and "signals" in cfg["data"] and cfg["data"]["signals"] != [IMAGE]:
        yield f"{KEY}: task={task_name(cfg)} learns from images alone; set {KEY}=[{IMAGE}]"


def _every_picture_is_in_the_table(cfg: Node) -> Iterator[str]:
    names = " and ".join(columns_beside(cfg))
    if names and cfg["data"]["extra"] is not None:
        yield f"data.extra: nothing is known of the {names} of these pictures; leave it out, or {KEY}"
    for name, node in cfg["trick"].items():
        if names and says(node).guides and node.get("unlabelled"):
            key = f"trick.{name}.unlabelled"
            yield f"{key}: nothing is known of the {names} of these pictures; leave it out, or {KEY}"


SIGNAL_RULES: list[Callable[[Node], Iterator[str]]] = [
    _the_task_looks_at_one_image_at_a_time,
    _every_picture_is_in_the_table,
]
