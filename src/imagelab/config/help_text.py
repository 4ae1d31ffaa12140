"""Write the help of the choices named beside `--help`: their comments, keys and values."""

from typing import Any

from imagelab.config import menu
from imagelab.problem import Problem


def text(command: str, words: list[str]) -> str:
    """A card for each group=choice among the words; without any, the menu of the command.

    Raises:
        Problem: If there is no such choice.
    """
    groups = menu.questions(command)
    named = [(group, name) for word in words for group, name in _named(word) if group in groups]
    wrong = [sentence for group, name in named for sentence in menu.unknown(group, [name])]
    if wrong:
        raise Problem("\n".join(wrong))
    if not named:
        return menu.text(command)
    return "\n\n".join(_card(command, group, name, isinstance(groups[group], list)) for group, name in named)


def _named(word: str) -> list[tuple[str, str]]:
    """The group and choice that a word names, or several if it is a list.

    >>> _named("augment=[flip,crop]"), _named("trick=[]"), _named("--help")
    ([('augment', 'flip'), ('augment', 'crop')], [], [])
    """
    group, _, value = word.lstrip("+").partition("=")
    names = [name.strip(" '\"") for name in value.strip("[] ").split(",")]
    return [(group, name) for name in names if name not in ("", "null")]


def _card(command: str, group: str, choice: str, several: bool) -> str:
    file = menu.folder() / group / f"{choice}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    node = menu.load(file)
    said = menu.comments(lines)
    recipe = lines[0].startswith("# @package _global_")
    others = [entry for entry in node.get("defaults", []) if isinstance(entry, dict)]
    rows = [(f"{_group(key)}={_listed(value)}", "") for entry in others for key, value in entry.items()]
    start = "" if recipe else f"{group}."
    rows += [
        (f"{start}{path}={menu.shown_value(value)}", said.get(path, "")) for path, value in _flat(node, "")
    ]
    width = max((len(left) for left, _ in rows), default=0)
    shown = [f"{group}=[{choice}]" if several else f"{group}={choice}"]
    shown += [f"  {line}" for line in menu.about(group, choice)]
    shown += ["", *(f"  {left:<{width}}  {right}".rstrip() for left, right in rows)] if rows else []
    if menu.root_keys(command).get(group) and not several:
        shown += ["", f"  Every choice takes more keys of {group}: imagelab {command} --help"]
    return "\n".join(shown)


def _group(key: str) -> str:
    """The group that an entry of the defaults list overrides.

    >>> _group("override /loss@_global_.loss")
    'loss'
    """
    return key.rpartition("/")[2].partition("@")[0]


def _flat(node: dict[str, Any], above: str) -> list[tuple[str, Any]]:
    """The values of a config file by their dotted path."""
    found: list[tuple[str, Any]] = []
    for key, value in node.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{above}{key}.")
        elif key != "_target_" and (above or key != "defaults"):
            found.append((f"{above}{key}", value))
    return found


def _listed(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else menu.shown_value(value)
