"""Write docs/tricks.md: a card for every choice of every question, from the configs and the docstrings.

`make docs` writes the file. Nothing is imported but the menu: code is read, not run.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from imagelab import menu

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tricks.md"
INTRODUCTION = """# Every choice, a card each

Written by `make docs` from `configs/` and the docstrings in `src/`; change those, not this page.
A card says what a choice does and when it helps, the values it comes with, where it is from, and the command.
Questions written with brackets take several answers, in order: `augment=[flip,crop]`.
"""


@dataclass(frozen=True)
class Described:
    """What the code says of itself: its first sentence, where its idea is from, what its arguments mean."""

    summary: str
    source: str
    meaning: dict[str, str]


def page() -> str:
    """The whole page."""
    groups = menu.questions("train")
    contents = [f"- [{group}](#{group}): {', '.join(menu.choices(group))}" for group in groups]
    sections = [_section(group, isinstance(default, list)) for group, default in groups.items()]
    return "\n".join([INTRODUCTION, *contents, "", *sections])


def card(group: str, choice: str, several: bool) -> str:
    """The card of one choice."""
    lines = (menu.folder() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# @package")]
    node = yaml.safe_load("\n".join(lines)) or {}
    node = node[choice] if isinstance(node.get(choice), dict) else node
    head, more, source, command = _head(lines)
    about = described(node.get("_target_") or _root("train").get(group, {}).get("_target_"))
    command = command or f"imagelab train {group}={f'[{choice}]' if several else choice}"
    words = [f"### {choice}", "", head, "", *(f"- {line}" for line in (about.summary, more) if line)]
    values = _values(node, _comments(lines), about)
    words += ["- Values:" + "".join(f"\n  - {value}" for value in values)] if values else []
    return "\n".join([*words, f"- Source: {source or about.source}", f"- Command: `{command}`", ""])


def described(target: str | None) -> Described:
    """What is known of a target: of our own code from its docstrings, of a library's its name.

    >>> described("torch.optim.AdamW").source
    '`torch.optim.AdamW`'
    """
    if target is None or not target.startswith("imagelab."):
        return Described("", f"`{target}`" if target else "this project", {})
    module, _, name = target.rpartition(".")
    tree = ast.parse((ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8"))
    definitions = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    own = next((ast.get_docstring(node) or "" for node in definitions if node.name == name), "")
    source = _source(own) or _source(ast.get_docstring(tree) or "") or f"`{module}` of this project"
    return Described(own.partition("\n")[0], source, _arguments(own))


def _section(group: str, several: bool) -> str:
    cards = [card(group, choice, several) for choice in menu.choices(group)]
    return "\n".join([f"## {group}", "", f"{_question(group)}.", "", *cards])


def _question(group: str) -> str:
    root = (menu.folder() / "train.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^  - {group}:.*# (.+)$", root, re.MULTILINE)
    return found.group(1).capitalize() if found else group.capitalize()


def _head(lines: list[str]) -> tuple[str, str, str, str]:
    """What a file begins with: its first comment, further ones, a source and a command, "" for none."""
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [re.sub(r"\s+", " ", line.lstrip("# ")) for line in lines[:first]]
    source = next((line for line in said if line.startswith("Source: ")), "")
    command = next((line for line in said if line.startswith("imagelab ")), "")
    more = " ".join(line for line in said[1:] if line not in (source, command))
    return said[0], more, source.removeprefix("Source: "), command


@cache
def _root(command: str) -> dict[str, Any]:
    return yaml.safe_load((menu.folder() / f"{command}.yaml").read_text(encoding="utf-8"))


def _comments(lines: list[str]) -> dict[str, str]:
    found = (re.match(r"\s*(\w+):[^#]*# (.+)$", line) for line in lines if not line.startswith("#"))
    return {match.group(1): match.group(2) for match in found if match}


def _values(node: dict[str, Any], comments: dict[str, str], about: Described) -> list[str]:
    shown = []
    for key, value in node.items():
        if key != "_target_":
            meaning = comments.get(key) or about.meaning.get(key)
            shown.append(f"`{key}: {_shown(value)}`" + (f": {meaning}" if meaning else ""))
    return shown


def _shown(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _source(docstring: str) -> str:
    found = re.search(r"^Source: (.+?)(?:\n\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""


def _arguments(docstring: str) -> dict[str, str]:
    _, _, listed = docstring.partition("Args:\n")
    listed = re.split(r"\n\S", listed)[0]
    entries = re.findall(r"^    (\w+): (.+?)(?=\n    \w+: |\Z)", listed, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is up to date.")
