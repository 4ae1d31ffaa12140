"""Write docs/schemas: JSON schemas of all configs, so that an editor completes keys and underlines mistakes.

`make docs` writes them, from the types, the ranges and the comments that the config check and the menu use.

Source: https://json-schema.org/draft/2020-12; settings as in https://github.com/redhat-developer/yaml-language-server.
"""

import json
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

from imagelab.cli import COMMANDS
from imagelab.config import menu
from imagelab.config.schema import Node, Run
from scripts.schema_of_choice import knobs, lines, of_choice, own_keys, shared_keys, value

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "schemas"
SETTINGS = ROOT / ".vscode" / "settings.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, Node]:
    """All schemas by name: one for each group, and one for each command's own file."""
    groups = [*menu.questions("train"), *menu.questions("evaluate"), *menu.BROUGHT]
    commands = [name for name in COMMANDS if (menu.folder() / f"{name}.yaml").is_file()]
    return {group: of_group(group) for group in groups} | {name: of_command(name) for name in commands}


def settings() -> Node:
    """The settings of Visual Studio Code that tell which schema is whose."""
    where = {
        name: f"configs/{name}.yaml" if name in COMMANDS else f"configs/{name}/*.yaml" for name in schemas()
    }
    return {
        "yaml.schemas": {f"docs/schemas/{name}.json": files for name, files in where.items()},
        "python.defaultInterpreterPath": "${workspaceFolder}/.venv/bin/python",
        "python.testing.pytestEnabled": True,
    }


def of_group(group: str) -> Node:
    """The schema of the files of a group; what each choice takes stands in its `$defs`."""
    choices = menu.choices(group)
    if group in (*menu.GLOBAL, *menu.BROUGHT):
        return _titled(group, {"$ref": "train.json"})
    several = isinstance(menu.questions("train").get(group), list)
    own = {choice: of_choice(group, choice, several) for choice in choices}
    nodes = {choice: own_keys(group, choice) for choice in choices}
    targets: dict[str, str] = {
        node["_target_"]: choice for choice, node in nodes.items() if "_target_" in node
    }
    known = [
        {"if": _has_target(target), "then": {"$ref": f"#/$defs/{choice}"}}
        for target, choice in targets.items()
    ]
    shared = shared_keys(group)
    if "_target_" in shared and own:
        known.append({"if": {"not": {"required": ["_target_"]}}, "then": {"$ref": f"#/$defs/{choices[0]}"}})
    one: Node = {
        "type": "object",
        "properties": {"_target_": _target([*targets]), **knobs(group)},
        "allOf": known,
    }
    if "_target_" not in shared:
        one["required"] = ["_target_"]
    if several:
        listed = {
            "type": ["object", "null"],
            "maxProperties": 1,
            "propertyNames": {"enum": choices},
            "additionalProperties": one,
        }
        return _titled(group, {**listed, "$defs": own})
    return _titled(group, {**one, "$defs": own})


def of_command(command: str) -> Node:
    """The schema of the file with a command's own keys."""
    if "train" in menu.load(menu.folder() / f"{command}.yaml").get("defaults", []):
        hints = get_type_hints(_root_class(command))
        own = {key: {} for key in get_type_hints(Run)} | _plain(command, {*hints} - {*get_type_hints(Run)})
        properties = {"defaults": _defaults(menu.questions(command)), "hydra": {"type": "object"}, **own}
        return _titled(command, {"type": "object", "properties": properties, "additionalProperties": False})
    return _titled(command, {"type": "object", **_keys_of_all_groups(command)})


def _keys_of_all_groups(command: str) -> Node:
    """Keys of a file that may set those of every group: a recipe, or the root config of a command."""
    groups = menu.questions(command)
    plain = _plain(command, {*get_type_hints(_root_class(command))} - {*groups})
    properties: Node = {"defaults": _defaults(groups), "hydra": {"type": "object"}, **plain}
    picked: list[Node] = []
    for group, default in groups.items():
        if group in menu.GLOBAL:
            continue
        if isinstance(default, list):
            choices = {name: {"$ref": f"{group}.json#/$defs/{name}"} for name in menu.choices(group)}
            properties[group] = {"type": "object", "properties": choices, "additionalProperties": False}
        else:
            properties[group] = {"type": ["object", "null"]}
            picked += _picked(group, default)
    return {"properties": properties, "additionalProperties": False, "allOf": picked}


def _plain(command: str, keys: set[str]) -> Node:
    """The keys of a command that belong to no group."""
    hints = get_type_hints(_root_class(command))
    said = menu.comments(lines("", command))
    return {key: value(key, hint, None, said.get(key)) for key, hint in hints.items() if key in keys}


def _picked(group: str, default: str | None) -> list[Node]:
    """For each choice that a file may make of a group: what may then stand below the group's name."""
    made = {choice: _contains(group, {"const": choice}) for choice in menu.choices(group)}
    ways = [
        {"if": asked, "then": {"properties": {group: {"$ref": f"{group}.json#/$defs/{choice}"}}}}
        for choice, asked in made.items()
    ]
    if default:
        none = {"not": _contains(group, {"type": "string"})}
        ways.append({"if": none, "then": {"properties": {group: {"$ref": f"{group}.json#/$defs/{default}"}}}})
    return ways


def _contains(group: str, value: Node) -> Node:
    ways = [{"type": "object", "properties": {key: value}, "required": [key]} for key in _names(group)]
    return {"properties": {"defaults": {"contains": {"anyOf": ways}}}, "required": ["defaults"]}


def _defaults(groups: Node) -> Node:
    """The list of choices at the head of a file."""
    entries: Node = {}
    for group, default in groups.items():
        names: Node = {"enum": [*menu.choices(group), None]}
        several: Node = {"type": "array", "items": {"enum": menu.choices(group)}}
        entries |= dict.fromkeys(_names(group), several if isinstance(default, list) else names)
    hydras = {f"override hydra/{name}": {"type": "string"} for name in ("job_logging", "hydra_logging")}
    made = {
        "type": "object",
        "properties": entries | hydras,
        "additionalProperties": False,
        "maxProperties": 1,
    }
    return {"type": "array", "items": {"anyOf": [{"enum": ["_self_", *COMMANDS]}, made]}}


def _names(group: str) -> list[str]:
    """How a file says which choice it makes: as a command's own default, or as a recipe."""
    return [group, f"override /{group}"]


def _target(known: list[str]) -> Node:
    """A dotted path: of this package only those that its configs name."""
    other = {"type": "string", "pattern": r"^(?!imagelab\.)[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"}
    return {"anyOf": [{"enum": known}, other], "description": "the class or function, by its dotted path"}


def _has_target(target: str) -> Node:
    return {"properties": {"_target_": {"const": target}}, "required": ["_target_"]}


@cache
def _root_class(command: str) -> type:
    """The dataclass with the root keys of a command."""
    module = import_module(f"imagelab.{COMMANDS[command][0]}")
    found = [one for one in vars(module).values() if isinstance(one, type) and is_dataclass(one)]
    return next((one for one in found if one.__module__ == module.__name__), Run)


def _titled(name: str, schema: Node) -> Node:
    return {"$schema": DIALECT, "$id": f"{name}.json", "title": f"imagelab: {name}", **schema}


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    SETTINGS.parent.mkdir(exist_ok=True)
    found = schemas()
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name, schema in found.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")
    SETTINGS.write_text(json.dumps(settings(), indent=2) + "\n", encoding="utf-8")
    print(f"{len(found)} schemas in {FOLDER.relative_to(ROOT)} are up to date.")


if __name__ == "__main__":
    main()
