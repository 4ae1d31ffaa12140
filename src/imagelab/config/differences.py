"""Say in words of the command line how a config differs from the defaults."""

from typing import Any

from imagelab.config import menu
from imagelab.config.schema import Node

TARGET = "_target_"


def differences(cfg: Node) -> dict[str, Any]:
    """The groups whose choice, and the keys whose value, is not the default one.

    Args:
        cfg: Config of a run, plain data.
    """
    found: dict[str, Any] = {}
    for group, default in menu.questions("train").items():
        if group in menu.GLOBAL or group not in cfg:
            continue
        if isinstance(default, list):
            found |= _of_list(group, cfg[group] or {}, default)
        else:
            found |= _of_choice(group, cfg[group], default)
    root = menu.root_keys("train")
    others = {key: cfg[key] for key in root.keys() - menu.questions("train").keys() if key in cfg}
    return found | _unlike(others, root, "")


def flat(node: Any, above: str = "") -> dict[str, Any]:
    """The values by dotted key; lists are values.

    >>> flat({"seed": 0, "data": {"size": None, "classes": [1, 2]}, "trick": {}})
    {'seed': 0, 'data.size': None, 'data.classes': [1, 2], 'trick': {}}
    """
    if not isinstance(node, dict) or not node:
        return {above: node}
    start = f"{above}." if above else ""
    return {name: item for key, below in node.items() for name, item in flat(below, f"{start}{key}").items()}


def choice_of(group: str, node: Node | None) -> str | None:
    """The choice of a group that a node was made from: of those with its `_target_`, the most similar one."""
    if not node:
        return None
    shared = menu.root_keys("train").get(group) or {}
    files = {choice: shared | _content(group, choice) for choice in menu.choices(group)}
    alike = {name: file for name, file in files.items() if file.get(TARGET) == node.get(TARGET)}
    if not alike:
        return str(node.get(TARGET)).rpartition(".")[2]
    return min(alike, key=lambda name: len(_unlike(node, alike[name], "")))


def _of_choice(group: str, node: Node | None, default: str | None) -> dict[str, Any]:
    choice = choice_of(group, node)
    found = {group: choice} if choice != default else {}
    if not node or choice is None:
        return found
    shared = menu.root_keys("train").get(group) or {}
    return found | _unlike(node, shared | _content(group, choice), group)


def _of_list(group: str, nodes: Node, default: list[str]) -> dict[str, Any]:
    names = [name for name in nodes if name != "none"]
    found = {group: names} if names != [name for name in default if name != "none"] else {}
    for name in names:
        found |= _unlike(nodes[name], _content(group, name).get(name) or {}, f"{group}.{name}")
    return found


def _content(group: str, choice: str) -> Node:
    """The keys of a choice, with those of the choices that it builds on; none if there is no such file."""
    file = menu.folder() / group / f"{choice}.yaml"
    node = menu.load(file) if file.is_file() else {}
    below = [entry for entry in node.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    found: Node = {}
    for entry in below:
        found |= _content(group, entry)
    return found | {key: value for key, value in node.items() if key != "defaults"}


def _unlike(node: Any, base: Any, above: str) -> dict[str, Any]:
    start = f"{above}." if above else ""
    mine, others = flat(node), flat(base)
    return {
        f"{start}{key}".rstrip("."): value
        for key, value in mine.items()
        if not key.endswith(TARGET) and others.get(key, ...) != value
    }
