"""Write the menu of a command: its groups, choices and keys, with the comments of the config files."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from imagelab.problem import nearest

Lines = list[str]
BROUGHT = ("start",)  # folders of values that a choice brings for other groups; nobody chooses them
GLOBAL = ("experiment", "debug")  # files of these groups set keys of other groups
ABSENT = object()


@cache
def folder() -> Path:
    """The configs' folder: beside the code in an installed package, at the top level of a checkout."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "configs"


def choices(group: str) -> list[str]:
    """The names of a group's choices."""
    return sorted(path.stem for path in (folder() / group).glob("*.yaml"))


def keys(group: str, choice: str) -> set[str]:
    """The keys that a choice sets; in a list group they are nested under its name."""
    node = load(folder() / group / f"{choice}.yaml")
    if isinstance(node.get(choice), dict):
        node = node[choice]
    return set(node) - {"defaults"}


def value(group: str, choice: str, key: str) -> Any:
    """The value that a choice gives to one of its keys; None if it has no such key."""
    return load(folder() / group / f"{choice}.yaml").get(key)


def sets(key: str, chosen: Mapping[str, Any]) -> str | None:
    """The chosen file of `experiment` or `debug` that sets this key."""
    for group in GLOBAL:
        choice = chosen.get(group)
        node: Any = load(folder() / group / f"{choice}.yaml") if choice else {}
        for part in key.split("."):
            node = node[part] if isinstance(node, dict) and part in node else ABSENT
        if node is not ABSENT:
            return f"{group}/{choice}.yaml"
    return None


def about(group: str, choice: str) -> Lines:
    """The comment at the top of a choice's file."""
    lines = (folder() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# @package")]
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [line.removeprefix("#").removeprefix(" ") for line in lines[:end]]


def unknown(group: str, names: list[str]) -> Lines:
    """One sentence for each name that is not a choice of the group."""
    known = choices(group)
    listed = f"; choose from {', '.join(known)}"
    return [f"{group}: there is no {n!r}{nearest(n, known) or listed}" for n in names if n not in known]


@cache
def questions(command: str) -> dict[str, Any]:
    """The groups of a command in order, each with its default: a name, a list of names, or None."""
    found: dict[str, Any] = {}
    for entry in load(folder() / f"{command}.yaml").get("defaults", []):
        if isinstance(entry, dict):
            found |= {key: value for key, value in entry.items() if not key.startswith("override ")}
        elif entry != "_self_":
            found |= questions(entry)
    return found


@cache
def root_keys(command: str) -> dict[str, Any]:
    """The keys of a command: its own, then those of the command that its root config extends."""
    found = {key: value for file in _files(command) for key, value in load(file).items()}
    return {key: value for key, value in found.items() if key not in ("defaults", "hydra")}


def text(command: str) -> str:
    """What `imagelab COMMAND --help` prints."""
    lines = _lines(folder() / f"{command}.yaml")
    groups = questions(command)
    said = {key: about for file in _files(command) for key, about in comments(_lines(file)).items()}
    words = "[group=choice ...] [key=value ...]" if groups else "key=value ..."
    shown = [_title(lines[0]), "", f"  imagelab {command} {words}", ""]
    for group, default in groups.items():
        shown += [*_group(group, default, said.get(group, "")), ""]
    shown += ["Keys and their values:", *_keys(root_keys(command), said)]
    if groups:
        shown += ["", f"*: the default. `imagelab {command} group=choice --help` shows the keys of a choice."]
    return "\n".join(shown)


def _files(command: str) -> list[Path]:
    """The root config of a command, then the one that it extends, if any."""
    file = folder() / f"{command}.yaml"
    others = [name for name in load(file).get("defaults", []) if isinstance(name, str) and name != "_self_"]
    return [file, *(inner for name in others for inner in _files(name))]


def _lines(file: Path) -> Lines:
    return file.read_text(encoding="utf-8").splitlines()


def _group(group: str, default: Any, comment: str) -> Lines:
    several = isinstance(default, list)
    chosen = default if several else [default]
    head = f"{group}=[...]" if several else f"{group}=..."
    names = choices(group)
    width = max([len(name) for name in names], default=0) + 1
    lines: Lines = []
    for name in names:
        first, *more = about(group, name)
        lines.append(f"  {name + '*' * (name in chosen):<{width}}  {first}".rstrip())
        lines += [f"{'':{width + 4}}{line}" for line in _formula(more)]
    return [f"{head:<16}{comment}".rstrip(), *lines]


def _keys(root: dict[str, Any], said: dict[str, str]) -> Lines:
    rows: list[tuple[str, str]] = []
    for key, value in root.items():
        below = value if isinstance(value, dict) and value else {None: value}
        for name, item in below.items():
            path = key if name is None else f"{key}.{name}"
            if name != "_target_" and item != {}:
                rows.append((f"{path}={shown_value(item)}", said.get(path, "")))
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]


def _formula(said: Lines) -> Lines:
    """The lines with a schedule's formula: the line that starts with "factor", and its indented rest."""
    start = next((i for i, line in enumerate(said) if line.startswith("factor")), len(said))
    return [line for i, line in enumerate(said) if i == start or (i > start and line.startswith(" "))]


def comments(lines: Lines) -> dict[str, str]:
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


def shown_value(value: Any) -> str:
    """A value as typed on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


@cache
def load(path: Path) -> dict[str, Any]:
    """The content of a config file."""
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
