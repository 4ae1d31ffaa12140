"""What leaves the project with a room, or with a choice of a group: pure functions of all its files.

To a room belong each folder of its name and what carries its marker (`scripts/markers.py`). What nothing
reaches any more goes with it: modules, their tests, configs of commands, lines of pages that name them.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from scripts.asked import NONE, Choice
from scripts.followers import chosen, recipes, unbrought, unbuilt, untaken
from scripts.ingredients import TEST, untested
from scripts.markers import cut, rooms_of
from scripts.trimming import mentions, trimmed

ROOMS = (
    "checks",
    "detection",
    "embedding",
    "explaining",
    "exporting",
    "finders",
    "generators",
    "inspection",
    "reports",
    "serving",
    "sweep",
)
TESTED_ON = "trainer/cpu"  # a fifth of all tests, and the benchmarks
PLACES = ("src/", "tests/", "configs/")
OWN = re.compile(r"^(?:.*=)?((?:imagelab|hydra_plugins)(?:\.\w+)+)$")
OWN_TARGET = re.compile(r"(?m)^_target_: (imagelab(?:\.\w+)+)\.\w+")
Files = dict[str, str]


def choices(files: Files) -> list[str]:
    """The choices that can come out, `group/choice`: all but the defaults, and what tests run on."""
    needed = {f"{group}/{name}" for group, names in questions(files).items() for name in names}
    return sorted(set(chosen(files).values()) - needed - {TESTED_ON})


def without(files: Files, room: str) -> Files:
    """The contents of the files that are left when a room or a choice has gone."""
    room = home(files, room)
    left = {path: text for path, text in files.items() if not belongs(path, room)}
    left = {path: kept for path, text in left.items() if (kept := cut(path, text, room)) is not None}
    groups = [f"configs/{group}/" for group in questions(files).keys() - questions(left).keys()]
    left = {path: text for path, text in left.items() if not path.startswith(tuple(groups))}
    words = commands(files).keys() - commands(left).keys()
    gone = {f"configs/{word}.yaml" for word in words} | reached(files) - reached(left)
    gone |= {mirrored(path) for path in gone | files.keys() - left.keys()}
    left = {path: text for path, text in left.items() if path not in gone}
    left = {path: left[path] for path in left.keys() - orphans(left) - unbrought(left)}
    left["pyproject.toml"] = layered(left["pyproject.toml"], set(modules(left)))
    left["Makefile"] = re.sub(r"(?m)^\.PHONY: .*$", f".PHONY: {' '.join(targets(left))}", left["Makefile"])
    choice = Choice(*room.split("/")) if "/" in room else NONE
    gone_modules = {name: files[path] for name, path in modules(files).items() if path not in left}
    needing = recipes(left, choice)
    left = unchosen(left, gone_modules, choice)
    said = [f"imagelab {word}" for word in words]
    said += [f"make {name}" for name in targets(files) if name not in targets(left)]
    named_in = mentions(files.keys() - left.keys() | tests(files) - tests(left), said, room)
    left = {path: trimmed(path, text, named_in) for path, text in left.items()}
    for orphan in [*needing, *unbuilt(left, modules(left)), *untaken(files, left)]:
        left = without(left, orphan) if f"configs/{orphan}.yaml" in left else left
    return left


def there(files: Files) -> list[str]:
    """The rooms that are in the project: they have a folder, or modules that carry their marker."""
    return [
        room
        for room in ROOMS
        if any(
            path.startswith(f"src/imagelab/{room}/") or room in rooms_of(text.partition("\n")[0])
            for path, text in files.items()
            if path.startswith("src/")
        )
    ]


def home(files: Files, name: str) -> str:
    """The room that a task comes out with, and with it networks, losses and commands; others stand alone.

    >>> detect = {"configs/task/detect.yaml": "_target_: imagelab.task.detect.Detect"}
    >>> home(detect | {"src/imagelab/task/detect.py": "# room: detection"}, "task/detect")
    'detection'
    """
    found = OWN_TARGET.search(files.get(f"configs/{name}.yaml", "")) if name.startswith("task/") else None
    module = f"src/{found.group(1).replace('.', '/')}.py" if found else ""
    return next(iter(rooms_of(files.get(module, "").partition("\n")[0])), name)


def belongs(path: str, room: str) -> bool:
    """Whether a file is a room's by its place.

    >>> belongs("src/imagelab/reports/sweep/page.py", "sweep"), belongs("configs/trick/ema.yaml", "trick/ema")
    (True, True)
    """
    if "/" in room:
        return path == f"configs/{room}.yaml"
    return path.startswith(PLACES) and room in path.split("/")[:-1]


def orphans(left: Files) -> set[str]:
    """Files of the package that no module lies beside any more, and tables whose benchmark has gone.

    >>> orphans({"benchmarks/tricks.py": "", "benchmarks/results/tricks.md": "", "src/imagelab/a/x.css": ""})
    {'src/imagelab/a/x.css'}
    """
    homes = {path.rpartition("/")[0] for path in left if path.endswith(".py")}
    scripts = tuple(path for path in left if re.fullmatch(r"benchmarks/\w+\.py", path))
    tables = {path: path.replace("results/", "").partition(".")[0] for path in left if "/results/" in path}
    return {path for path in left if path.startswith("src/") and path.rpartition("/")[0] not in homes} | {
        path for path, begins in tables.items() if not any(script.startswith(begins) for script in scripts)
    }


def unchosen(files: Files, gone: Mapping[str, str], choice: Choice) -> Files:
    """The files without tests that need what has gone; a choice leaves lists of several."""
    kept = {path: _without_default(path, text, *choice) for path, text in files.items()}
    return {
        path: choice.unlisted(text) if path.endswith((".py", ".md", ".yaml")) else text
        for path, text in untested(kept, gone, choice).items()
    }


def _without_default(path: str, text: str, group: str, choice: str) -> str:
    r"""The file of a choice that brings one of another group, such as a task its loss, without it.

    >>> regress = "# Values.\ndefaults:\n  - override /loss@_global_.loss: mse\n_target_: a.B\n"
    >>> _without_default("configs/task/regress.yaml", regress, "loss", "mse")
    '# Values.\n_target_: a.B\n'
    """
    if not re.fullmatch(r"configs/\w+/\w+\.yaml", path) or path.split("/")[1] in ("experiment", "debug"):
        return text
    return re.sub(rf"(?m)^defaults:\n  - override /{group}@[\w.]+: {choice}\n", "", text)


def questions(files: Files) -> dict[str, list[str]]:
    """The groups that commands ask for, with their default choices."""
    found: dict[str, list[str]] = {}
    for path, text in files.items():
        for entry in _defaults(text) if re.fullmatch(r"configs/\w+\.yaml", path) else []:
            for group, names in entry.items() if isinstance(entry, dict) else []:
                found.setdefault(group, []).extend(names if isinstance(names, list) else [names])
    return found


@cache
def _defaults(text: str) -> list[Any]:
    return yaml.safe_load(text).get("defaults", [])


def commands(files: Files) -> dict[str, str]:
    """The words of `imagelab COMMAND`, each with its module."""
    tree = ast.parse(files["src/imagelab/cli.py"])
    found = next(
        n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "COMMANDS"
    )
    return {word: module for word, (module, _) in ast.literal_eval(found).items()}


def targets(files: Files) -> list[str]:
    """The targets of make that `make help` lists."""
    return re.findall(r"(?m)^([a-z-]+):.*##", files["Makefile"])


def modules(files: Files) -> dict[str, str]:
    """The modules of the package and of its tests by name, each with its file."""
    paths = [path for path in files if path.startswith(("src/", "tests/")) and path.endswith(".py")]
    names = [path[:-3].removeprefix("src/").removesuffix("/__init__") for path in paths]
    return {name.replace("/", "."): path for name, path in zip(names, paths, strict=True)}


def reached(files: Files) -> set[str]:
    """The files of all modules that a command, a config or a script needs, lazy imports counted."""
    known = modules(files)
    waiting = {f"imagelab.{module}" for module in ("cli", *commands(files).values())}
    for path, text in files.items():
        waiting |= named(text) if path.startswith("scripts/") and path.endswith(".py") else set()
        waiting |= set(re.findall(r"imagelab(?:\.\w+)+", text)) if path.startswith("configs/") else set()
    found: set[str] = set()
    while waiting:
        parts = waiting.pop().split(".")
        prefixes = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & known.keys() - found
        found |= prefixes
        waiting |= {name for prefix in prefixes for name in named(files[known[prefix]])}
    return {known[name] for name in found}


@cache
def named(text: str) -> set[str]:
    """What Python code names of the package: by imports, and by strings such as `_target_`s."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(OWN.findall(node.value))
    return found


def mirrored(path: str) -> str:
    """The tests of a module.

    >>> mirrored("src/imagelab/task/simclr.py")
    'tests/task/test_simclr.py'
    """
    folder, _, name = path.removeprefix("src/imagelab/").rpartition("/")
    return "/".join(part for part in ("tests", folder, f"test_{name}") if part)


def tests(files: Files) -> set[str]:
    """All tests, as pages name them: `tests/task/test_simclr.py::test_name`."""
    paths = [path for path in files if path.startswith("tests/") and path.endswith(".py")]
    return {f"{path}::{name}" for path in paths for name in TEST.findall(files[path])}


def layered(text: str, known: set[str]) -> str:
    r"""pyproject.toml with the layers of those modules only that are there.

    >>> layered('layers = [\n    "checks | reports",\n]\n', {"imagelab.cli", "imagelab.reports"})
    'layers = [\n    "reports",\n]\n'
    """
    head, start, rest = text.partition("layers = [\n")
    block, end, tail = rest.partition("]\n")
    lines = [
        [name for name in line.strip(' ",').split(" | ") if f"imagelab.{name}" in known]
        for line in block.splitlines()
    ]
    kept = "".join(f'    "{" | ".join(names)}",\n' for names in lines if names)
    return head + start + kept + end + tail
