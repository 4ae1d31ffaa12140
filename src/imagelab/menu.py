"""The menu of a command: its questions, their answers and keys, with the comments of the config files."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Lines = list[str]
GLOBAL = ("experiment", "debug")  # their files hold whole recipes
ABSENT = object()


@cache
def folder() -> Path:
    """Where the configs are: beside the code in an installed package, at the top of a checkout."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def choices(group: str) -> list[str]:
    """The answers to a question, by name."""
    return sorted(path.stem for path in (folder() / group).glob("*.yaml"))


def keys(group: str, choice: str) -> set[str]:
    """The keys that a choice sets; one of a list stands under its own name."""
    node = _load(folder() / group / f"{choice}.yaml")
    if isinstance(node.get(choice), dict):
        node = node[choice]
    return set(node)


def sets(key: str, chosen: Mapping[str, Any]) -> str | None:
    """Which of the chosen files that may set keys of other groups (experiment, debug) sets this key."""
    for group in GLOBAL:
        choice = chosen.get(group)
        node: Any = _load(folder() / group / f"{choice}.yaml") if choice else {}
        for part in key.split("."):
            node = node[part] if isinstance(node, dict) and part in node else ABSENT
        if node is not ABSENT:
            return f"{group}/{choice}.yaml"
    return None


@cache
def questions(command: str) -> dict[str, Any]:
    """The groups of a command in their order, each with its default: a name, a list of names, or None."""
    found: dict[str, Any] = {}
    for entry in _load(folder() / f"{command}.yaml").get("defaults", []):
        if isinstance(entry, dict):
            found |= {key: value for key, value in entry.items() if not key.startswith("override ")}
        elif entry != "_self_":
            found |= questions(entry)
    return found


def text(command: str) -> str:
    """What `imagelab COMMAND --help` prints."""
    file = folder() / f"{command}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    said, groups = _comments(lines), questions(command)
    words = "[group=choice ...] [key=value ...]" if groups else "key=value ..."
    shown = [_title(lines[0]), "", f"  imagelab {command} {words}", ""]
    for group, default in groups.items():
        shown += [*_group(group, default, said.get(group, "")), ""]
    shown += ["Keys and their values:", *_keys(file, said)]
    if groups:
        shown += ["", f"*: the default. `imagelab {command} --cfg job` shows the keys of the choices too."]
    return "\n".join(shown)


def _group(group: str, default: Any, comment: str) -> Lines:
    several = isinstance(default, list)
    chosen = default if several else [default]
    head = f"{group}=[...]" if several else f"{group}=..."
    names = choices(group)
    width = max([len(name) for name in names], default=0) + 1
    lines = [f"  {name + '*' * (name in chosen):<{width}}  {_about(group, name)}".rstrip() for name in names]
    return [f"{head:<16}{comment}".rstrip(), *lines]


def _keys(file: Path, said: dict[str, str]) -> Lines:
    rows: list[tuple[str, str]] = []
    for key, value in _load(file).items():
        if key in ("defaults", "hydra"):
            continue
        below = value if isinstance(value, dict) and value else {None: value}
        for name, item in below.items():
            path = key if name is None else f"{key}.{name}"
            if name != "_target_" and item != {}:
                rows.append((f"{path}={_shown(item)}", said.get(path, "")))
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]


def _about(group: str, name: str) -> str:
    first = (folder() / group / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    if first.startswith("# @package"):
        first = (folder() / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[1]
    return _title(first)


def _comments(lines: Lines) -> dict[str, str]:
    """The comment at the end of each line, by key (`seed`, `data.workers`) or group (`data`)."""
    said: dict[str, str] = {}
    above = ""
    for line in lines:
        match = re.match(r"( *(?:- )?)([\w./]+):([^#]*)(?:#\s*(.*))?$", line)
        if match:
            indent, key, _, comment = match.groups()
            above = key if not indent else above
            path = f"{above}.{key}" if indent and "-" not in indent else key
            said.setdefault(path, comment or "")
    return said


def _title(line: str) -> str:
    return line.removeprefix("#").strip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@cache
def _load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
