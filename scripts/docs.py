"""Write docs/tricks.md: a card for every choice of every question, and for every key that all choices share.

`make docs` writes the file, from the configs, the docstrings and the measured effects. Code is read, not run.
"""

import ast
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml

from imagelab.config import menu, schema

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tricks.md"
EVIDENCE = ROOT / "docs" / "evidence.md"
MEASURED = ROOT / "benchmarks" / "results" / "tricks.md"
WORDS = yaml.safe_load((Path(__file__).parent / "card_words.yaml").read_text(encoding="utf-8"))
INTRODUCTION = """# Every choice, one card each

Written by `make docs` from `configs/` and the docstrings in `src/`; change those, not this page.
A card says what a choice does and when it helps, its default values, its source, and an example command.
Groups written with brackets take several choices, in order: `augment=[flip,crop]`. After the choices of a
group come the keys that all of them share. *Measured*: whether the claim of a choice held where it is meant
to hold, and its effect in points of test accuracy with a 95% interval; [the evidence](evidence.md) has all
claims. Of a claim that was not run yet: the difference after ten epochs on 1,800 small images, at untuned
values, with its standard error ([table](../benchmarks/results/tricks.md)), where most augmentations and
regularisers, made for longer runs, lose.

![The factor on the rate over a run, for each schedule](pictures/schedules.svg)

![The standard deviation of activations through 20 layers, for each init](pictures/init.svg)
"""


@dataclass(frozen=True)
class Described:
    """What the code says of itself: its first sentence, where its idea is from, what its arguments mean."""

    summary: str
    source: str
    meaning: dict[str, str]


def page() -> str:
    """The whole page."""
    groups = menu.questions("train") | menu.questions("evaluate")
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
    asked = "train" if group in menu.questions("train") else "evaluate run=last"
    command = command or f"imagelab {asked} {group}={f'[{choice}]' if several else choice}"
    words = [f"### {choice}", "", head, "", *(f"- {line}" for line in (about.summary, more) if line)]
    values = _values(node, _comments(lines), about)
    words += ["- Values:" + "".join(f"\n  - {value}" for value in values)] if values else []
    words += _effects(f"{group}={choice}")
    if choice == (menu.questions("train") | menu.questions("evaluate"))[group]:
        words += [line for key in node for line in _claimed(f"{group}.{key}", "=")]
    return "\n".join([*words, f"- Source: {source or about.source}", f"- Command: `{command}`", ""])


def key_card(group: str, key: str) -> str:
    """The card of a key that every choice of a group takes."""
    node, lines = _shared(group)
    path, values = f"{group}.{key}", _words(group, key)
    home = ROOT / "src" / "imagelab" / WORDS["homes"].get(path, f"{group}/{key}.py")
    about = ast.get_docstring(ast.parse(home.read_text(encoding="utf-8"))) or "" if home.exists() else ""
    turned = str(not node[key]).lower() if isinstance(node[key], bool) else _shown(node[key])
    example = WORDS["examples"].get(path) or next((word for word in values if word != node[key]), turned)
    comment = _comments(lines).get(key, "")
    words = [f"### {path}", "", f"{comment[:1].upper()}{comment[1:]}.", ""]
    words += [f"- {' '.join(about.partition(chr(10) * 2)[0].split())}"] if about else []
    words += [f"- {' '.join(WORDS['advice'][path])}"] if path in WORDS["advice"] else []
    words += [f"- Values: {', '.join(f'`{word}`' for word in values)}"] if values else []
    words += [f"- Default: `{_shown(node[key])}`", *_effects(path, "=")]
    source = _source(about) or (f"`{node['_target_']}`" if "_target_" in node else "this project")
    return "\n".join([*words, f"- Source: {source}", f"- Command: `imagelab train {path}={example}`", ""])


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
    cards += [key_card(group, key) for key in _shared(group)[0] if key != "_target_"]
    return "\n".join([f"## {group}", "", f"{_question(group)}.", "", *cards])


def _shared(group: str) -> tuple[dict[str, Any], list[str]]:
    """What configs/train.yaml says of the keys that all choices of a group share, and its lines."""
    text = (menu.folder() / "train.yaml").read_text(encoding="utf-8")
    block = re.search(rf"^{group}:.*\n((?:  .*\n)*)", text, re.MULTILINE)
    return _root("train").get(group) or {}, block.group(1).splitlines() if block else []


def _words(group: str, key: str) -> list[str]:
    """The values that a key takes, where its type names them."""
    hints = {field.name: field.type for field in fields(schema.KNOBS[group])} if group in schema.KNOBS else {}
    words = [word for part in get_args(hints.get(key)) for word in (get_args(part) or [part])]
    others = [word for word in words if not isinstance(word, str) and word is not type(None)]
    return [] if others else [word for word in words if isinstance(word, str)]


@cache
def _table() -> list[list[str]]:
    lines = MEASURED.read_text(encoding="utf-8").splitlines() if MEASURED.is_file() else []
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line[:3] == "| `"]


@cache
def _evidence() -> list[list[str]]:
    """The rows of docs/evidence.md that have a verdict, each with the regime above it in front."""
    rows, regime = [], ""
    for line in EVIDENCE.read_text(encoding="utf-8").splitlines() if EVIDENCE.is_file() else []:
        regime = line.removeprefix("## ") if line.startswith("## ") else regime
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if line[:3] == "| `" and cells[-1] != "too few runs":
            rows.append([regime, *cells])
    return rows


def _effects(name: str, joined: str = "") -> list[str]:
    """What was measured of a choice, or of every value of a key: of its claim, or else in ten epochs."""
    if claimed := _claimed(name, joined):
        return claimed
    rows = [row for row in _table() if row[0] == name or (joined and row[0].startswith(name + joined))]
    said = [f"{row[0].partition('=')[2] + ': ' if joined else ''}{row[4]} against {row[1]}" for row in rows]
    lost = next((row for row in rows if loses(row[4])), None)
    why = next((why for start, why in WORDS["reasons"].items() if lost and lost[0].startswith(start)), "")
    return [f"- Measured: {'; '.join(said)}" + (f" ({why})" if why else "")] if said else []


def _claimed(name: str, joined: str = "") -> list[str]:
    """What docs/evidence.md says of a choice, or of every value of a key, a line per claim."""
    found = []
    for regime, choice, says, _, effect, seeds, verdict in _evidence():
        if choice == name or (joined and choice.startswith(name + joined)):
            of = f"`{choice}`, " if joined else ""
            where = f"{regime[:1].lower()}{regime[1:]}; {seeds} seeds"
            found.append(f"- Measured: {of}{effect}. Claim: {says}; {verdict} ({where})")
    return found


def loses(difference: str) -> bool:
    """Whether a difference is below zero by more than two standard errors.

    >>> loses("-3.3 ± 0.6"), loses("-1.0 ± 0.9"), loses("+2.1 ± 1.0")
    (True, False, False)
    """
    mean, _, error = difference.partition(" ± ")
    return float(mean) < -2 * float(error)


def _question(group: str) -> str:
    roots = [(menu.folder() / f"{name}.yaml").read_text(encoding="utf-8") for name in ("train", "evaluate")]
    found = re.search(rf"^  - {group}:.*# (.+)$", "".join(roots), re.MULTILINE)
    return found.group(1).capitalize() if found else group.capitalize()


def _head(lines: list[str]) -> tuple[str, str, str, str]:
    """What a file begins with: its first comment, further ones, a source and a command, "" for none."""
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [re.sub(r"\s+", " ", line.lstrip("# ")) for line in lines[:first]]
    source = next((line for line in said if line.startswith("Source: ")), "")
    commands = [line for line in said if line.startswith("imagelab ")]
    more = " ".join(line for line in said[1:] if line not in (source, *commands))
    return said[0], more, source.removeprefix("Source: "), next(iter(commands), "")


@cache
def _root(command: str) -> dict[str, Any]:
    return yaml.safe_load((menu.folder() / f"{command}.yaml").read_text(encoding="utf-8"))


def _comments(lines: list[str]) -> dict[str, str]:
    found = (re.match(r"\s*(\w+):[^#]*# (.+)$", line) for line in lines if not line.startswith("#"))
    return {match.group(1): match.group(2) for match in found if match}


def _values(node: dict[str, Any], comments: dict[str, str], about: Described) -> list[str]:
    shown = []
    for key, value in node.items():
        if key not in ("_target_", "defaults"):
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
