"""Refuse classes that do not work here or declare a fact of the wrong type; find choices by their facts."""

from collections.abc import Callable, Iterator
from typing import get_type_hints

from imagelab.config.facts import Facts, says
from imagelab.config.schema import Node
from imagelab.config.value_types import fits, show, wanted


def target(node: Node) -> str:
    """The name of the class or function that a node builds."""
    return str(node["_target_"]).rpartition(".")[2]


def stating(group: Node, fact: str) -> list[str]:
    """The names of the choices of a list group whose class declares a fact (`config/facts.py`)."""
    return [name for name, node in group.items() if getattr(says(node), fact)]


def _nothing_is_refused(cfg: Node) -> Iterator[str]:
    for path, node in _choices(cfg):
        if why := says(node).refused:
            yield f"{path}: {node['_target_']} does not work here: {why}"


def _facts_have_their_types(cfg: Node) -> Iterator[str]:
    hints = get_type_hints(Facts)
    for path, node in _choices(cfg):
        for name, value in says(node)._asdict().items():
            if not fits(value, hints[name]):
                where = f"{target(node)}.{name}"
                yield f"{path}._target_: {where} wants {wanted(hints[name])}, got {show(value)}"


def _choices(cfg: Node) -> Iterator[tuple[str, Node]]:
    """Yield the nodes of all chosen classes, with their keys."""
    for group, node in cfg.items():
        below = node.items() if isinstance(node, dict) else ()
        for path, one in [(group, node), *((f"{group}.{name}", choice) for name, choice in below)]:
            if isinstance(one, dict) and "_target_" in one:
                yield path, one


CLASS_RULES: list[Callable[[Node], Iterator[str]]] = [_nothing_is_refused, _facts_have_their_types]
