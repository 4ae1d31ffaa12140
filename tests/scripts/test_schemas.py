import json
from pathlib import Path
from random import Random

import pytest
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf
from referencing import Registry, Resource

from imagelab.config import menu
from imagelab.config.rules.ranges import RANGES
from scripts.schemas import FOLDER, SETTINGS, settings
from tests.runs_of_the_command import printed

FOUND = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
REGISTRY = Registry().with_resources(
    [(f"{name}.json", Resource.from_contents(schema)) for name, schema in FOUND.items()]
)
FILES = sorted(menu.folder().rglob("*.yaml"))


def complaints(path: Path, content) -> list[str]:
    name = path.stem if path.parent == menu.folder() else path.parent.name
    found = Draft202012Validator(FOUND[name], registry=REGISTRY).iter_errors(content)
    return [f"{path.name}: {one.json_path}: {one.message}" for one in found]


def content(path: Path):
    return OmegaConf.to_container(OmegaConf.load(path)) or None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_shipped_file_is_underlined(path):
    assert complaints(path, content(path)) == []


def test_at_least_95_of_100_mistakes_are_underlined():
    drawn = [(path, what, node) for path, what, node in Random(0).sample(planted(), 200)]
    missed = [
        f"{path.parent.name}/{path.name}: {what}" for path, what, node in drawn if not complaints(path, node)
    ]
    assert len(missed) <= 0.05 * len(drawn), missed


def test_the_committed_files_are_up_to_date():
    # In a process of its own: other tests patch classes whose signatures these are.
    code = "import json; from scripts.schemas import schemas; print(json.dumps(schemas()))"
    assert json.loads(printed(code)[-1]) == FOUND, "make docs"
    assert json.loads(SETTINGS.read_text()) == settings(), "make docs"


def test_an_editor_shows_what_a_key_means_and_which_words_it_takes():
    folder = FOUND["data"]["$defs"]["folder"]
    assert folder["description"].startswith("Your own labelled pictures")
    assert folder["properties"]["on_bad_image"]["enum"] == ["error", "skip"]
    assert folder["properties"]["val_fraction"]["exclusiveMaximum"] == 1
    assert "held out" in folder["properties"]["val_fraction"]["description"]


def planted() -> list[tuple[Path, str, object]]:
    """Every shipped file with one mistake in it, in each place where such a mistake can be made."""
    found = []
    for path in FILES:
        node = content(path)
        for place in places(node or {}):
            for what, wrong in mistakes(place[-1], at(node, place)):
                if "range" in what and in_range(path, place):
                    continue
                found.append((path, f"{'.'.join(map(str, place))}: {what}", replaced(node, place, *wrong)))
    return found


def in_range(path: Path, place) -> bool:
    """Whether the check of the config would let -7 pass there."""
    group = (
        []
        if path.parent == menu.folder() or path.parent.name in (*menu.GLOBAL, *menu.BROUGHT)
        else [path.parent.name]
    )
    wanted = RANGES.get(".".join([*group, *map(str, place)]))
    return wanted is None or wanted.holds(-7)


def mistakes(key, value):
    """What people mistype: (kind, (the new key, the new value))."""
    if not isinstance(key, str):
        yield "a choice misspelt", (key, misspelt(value)) if isinstance(value, str) else (key, {"a": value})
    elif key == "_target_":
        yield (
            "a class misspelt",
            (key, misspelt(value) if value.startswith("imagelab.") else value.split(".")[-1]),
        )
    elif key.startswith("override /"):
        yield "a choice misspelt", (key, misspelt(value) if isinstance(value, str) else [misspelt(value[0])])
        yield "a group misspelt", (misspelt(key), value)
    else:
        yield "a key misspelt", (misspelt(key), value)
        yield "a list of lists", (key, [[value]])
        if isinstance(value, bool):
            yield "a word for true or false", (key, "yes")
        elif isinstance(value, int | float):
            yield "text for a number", (key, "many")
            yield "a number out of range", (key, -7)


def misspelt(word: str) -> str:
    return word + word[-1]


def places(node, path=()):
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        if key != "hydra" and value != "_self_":
            yield (*path, key)
            yield from places(value, (*path, key))


def at(node, path):
    for key in path:
        node = node[key]
    return node


def replaced(node, path, key, value):
    if len(path) > 1:
        child = replaced(node[path[0]], path[1:], key, value)
        pairs = {**node, path[0]: child} if isinstance(node, dict) else [*node]
        if isinstance(node, list):
            pairs[path[0]] = child
        return pairs
    if isinstance(node, list):
        return [value if place == path[0] else item for place, item in enumerate(node)]
    return {key if name == path[0] else name: value if name == path[0] else old for name, old in node.items()}
