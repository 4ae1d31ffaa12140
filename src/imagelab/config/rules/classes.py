"""Refuse classes that go wrong here or misstate a fact; find the choices that state one."""

from collections.abc import Callable, Iterator
from typing import get_type_hints

from imagelab.config.facts import Facts, says
from imagelab.config.schema import Node
from imagelab.config.value_types import fits, show, wanted


def target(node: Node) -> str:
    """The last word of what a node builds."""
    return str(node["_target_"]).rpartition(".")[2]


def stating(group: Node, fact: str) -> list[str]:
    """The names of the choices of a list group whose class states a fact (`config/facts.py`)."""
    return [name for name, node in group.items() if getattr(says(node), fact)]


def _nothing_is_refused(cfg: Node) -> Iterator[str]:
    for path, node in _choices(cfg):
        if why := says(node).refused:
            yield f"{path}: not {node['_target_']}: {why}"


def _facts_have_their_types(cfg: Node) -> Iterator[str]:
    hints = get_type_hints(Facts)
    for path, node in _choices(cfg):
        for name, value in says(node)._asdict().items():
            if not fits(value, hints[name]):
                where = f"{target(node)}.{name}"
                yield f"{path}._target_: {where} wants {wanted(hints[name])}, got {show(value)}"


def _choices(cfg: Node) -> Iterator[tuple[str, Node]]:
    """Every chosen class of a config, by its key."""
    for group, node in cfg.items():
        below = node.items() if isinstance(node, dict) else ()
        for path, one in [(group, node), *((f"{group}.{name}", choice) for name, choice in below)]:
            if isinstance(one, dict) and "_target_" in one:
                yield path, one


CLASS_RULES: list[Callable[[Node], Iterator[str]]] = [_nothing_is_refused, _facts_have_their_types]
