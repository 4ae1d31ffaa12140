"""Say in JSON Schema what a choice takes: its arguments, their types, ranges, defaults and comments."""

import math
from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from imagelab.config import menu
from imagelab.config.arguments import HYDRAS, MISSING
from imagelab.config.rules.ranges import RANGES
from imagelab.config.schema import KNOBS, Node
from imagelab.config.signatures import Signature, from_import

BUILT: Node = {"type": "object", "required": ["_target_"]}  # a value that only a class can give
TO_BE_SET: Node = {"enum": [MISSING], "description": "to be set on the command line"}


@cache
def of_choice(group: str, choice: str, several: bool) -> Node:
    """What a choice takes: its arguments and the keys that all choices of its group share."""
    node = shared_keys(group) | own_keys(group, choice)
    path = f"{group}.{choice}" if several else group
    said = menu.comments(lines(group, choice))
    about = " ".join(menu.about(group, choice))
    if "_target_" not in node:
        return {"description": about, "type": "object"}
    try:
        signature = from_import(node["_target_"])
    except LookupError:  # of a package that is not installed
        signature = Signature({}, open=True)
    arguments = {
        key: value(
            f"{path}.{key}", argument.hint, node.get(key), said.get(f"{choice}.{key}" if several else key)
        )
        for key, argument in signature.arguments.items()
    }
    own = {key: {} for key in sorted(HYDRAS | ({"defaults"} & node.keys()))}
    return {
        "description": about,
        "type": "object",
        "properties": {**own, **arguments, **knobs(group)},
        "additionalProperties": signature.open,
    }


class Types(GenerateJsonSchema):
    """Pydantic's schema of a type, in which objects of any class can be built by their `_target_`."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Node:
        """The schema of what JSON cannot hold."""
        return dict(BUILT)


def value(path: str, hint: Any, default: Any, comment: str | None) -> Node:
    """The schema of a value: its type and range, the default, and the comment beside it."""
    found = _type(hint)
    if path in RANGES:
        limits = _limits(path)
        own = {"not": {"const": RANGES[path].without}} if RANGES[path].without is not None else {}
        found = {**found, **limits, **own, "items": {**found.get("items", {}), **limits}}
    if default == MISSING:
        found = {"anyOf": [found, TO_BE_SET]}
    elif default is not None:
        found = {**found, "default": default}
    return {**found, "description": comment} if comment else found


@cache
def _type(hint: Any) -> Node:
    try:
        known = isinstance(hint, type) and is_dataclass(hint)
        adapter = TypeAdapter(hint, config=None if known else ConfigDict(arbitrary_types_allowed=True))
        return _ordered(adapter.json_schema(schema_generator=Types))
    except (PydanticUserError, TypeError, NameError):
        return {}


def _ordered(node: Any) -> Any:
    """A schema with its alternatives in order: that of a union depends on which module names it first."""
    if isinstance(node, list):
        return [_ordered(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _ordered(value) for key, value in node.items()}
    if "anyOf" in found:
        found["anyOf"] = sorted(found["anyOf"], key=str)
    return found


def _limits(path: str) -> Node:
    wanted = RANGES[path]
    ends = {
        "minimum": wanted.least,
        "maximum": wanted.most,
        "exclusiveMinimum": wanted.above,
        "exclusiveMaximum": wanted.below,
    }
    return {name: end for name, end in ends.items() if math.isfinite(end)}


def knobs(group: str) -> Node:
    """The keys that all choices of a group share."""
    if group not in KNOBS:
        return {}
    shared, said = shared_keys(group), menu.comments(lines("", "train"))
    hints = get_type_hints(KNOBS[group])
    return {
        key: value(f"{group}.{key}", hint, shared.get(key), said.get(f"{group}.{key}"))
        for key, hint in hints.items()
    }


def shared_keys(group: str) -> Node:
    """What configs/train.yaml says of a group."""
    return menu.load(menu.folder() / "train.yaml").get(group) or {}


def own_keys(group: str, choice: str) -> Node:
    """What the file of a choice says; in a list group, below its name."""
    node = menu.load(menu.folder() / group / f"{choice}.yaml")
    return node[choice] if isinstance(node.get(choice), dict) else node


def lines(group: str, choice: str) -> list[str]:
    """The lines of the file of a choice; of a root config if `group` is empty."""
    return (menu.folder() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
