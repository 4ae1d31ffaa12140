"""The rules of CONTRIBUTING.md, kept by a test: each finding names file and line."""

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE, CONFIGS = ROOT / "src" / "imagelab", ROOT / "configs"
CODE = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
OPTIONS = sorted(CONFIGS.glob("*/*.yaml"))
RECIPES = ("experiment", "debug")  # groups whose files set keys of other groups
LISTS = ("augment", "trick", "logger")  # groups whose files nest under their own name
FILE_LINES, FUNCTION_LINES, COMMENT_WIDTH = 250, 40, 110
HIDING = {"inspect", "types", "random"}  # modules of Python's own
VAGUE = {"utils", "util", "helpers", "helper", "base", "common", "misc"}
HEAVY = {
    "torch",
    "lightning",
    "torchvision",
    "torchmetrics",
    "timm",
    "sklearn",
    "albumentations",
    "pandas",
    "wandb",
}
HEAVY |= {"cv2", "scipy"}
LIGHT = ("cli", "config", "rules")  # what --help and a typo need

Findings = Iterator[str]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def undocumented(path: Path) -> Findings:
    if not (ast.get_docstring(tree_of(path)) or "").strip():
        yield f"{name_of(path)}:1: the module says nothing; begin with one sentence in a docstring"


def too_long(path: Path) -> Findings:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > FILE_LINES:
        yield f"{name_of(path)}:{lines}: {lines} lines, more than {FILE_LINES}; does it do two things?"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name_of(path)}:{node.lineno}: {node.name} has {length} lines, over {FUNCTION_LINES}"


def vague(path: Path) -> Findings:
    for part in (*path.relative_to(ROOT).parent.parts, path.stem):
        if part in VAGUE or (part in HIDING and path.suffix == ".py"):
            yield f"{name_of(path)}:1: {part!r} says nothing, or hides Python's own; name what is inside"


def uncommented(path: Path) -> Findings:
    text = path.read_text(encoding="utf-8")
    if "\n# @package" in text:
        yield f"{name_of(path)}:1: Hydra sees `# @package` on the first line only"
    first = next((line for line in text.splitlines() if not line.startswith("# @package")), "")
    if not first.startswith("# ") or len(first) > COMMENT_WIDTH:
        yield f"{name_of(path)}:1: begin with `# What it is: when to use it`, <= {COMMENT_WIDTH} wide"


def interpolating(path: Path) -> Findings:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "${" in line:
            yield f"{name_of(path)}:{number}: no file names another; pass facts in build.py, not by ${{…}}"


def targets(path: Path) -> list[str]:
    """All `_target_`s of a file that are the project's own."""
    found = re.findall(r"^\s*_target_:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [target for target in found if target.startswith("imagelab.")]


def misnamed(path: Path, families: Counter[str]) -> Findings:
    """Findings where a module that serves one option only has another name than the option."""
    for target in targets(path):
        module, _, what = target.rpartition(".")
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", what).lower()
        file = ROOT / "src" / Path(*module.split(".")).with_suffix(".py")
        if not file.is_file():
            yield f"{name_of(path)}:1: {target}: there is no {name_of(file)}"
        elif families[module] < 2 and path.stem not in (module.rpartition(".")[2], snake):
            yield f"{name_of(path)}:1: {target}: one idea, one name; rename the option or the module"


def misplaced(path: Path) -> Findings:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.parent.name in LISTS and path.stem != "none" and list(content or {}) != [path.stem]:
        yield f"{name_of(path)}:1: {path.parent.name} is a list group; nest the keys under {path.stem!r}"


def lenient(target: str) -> Findings:
    """Findings where an own callable that configs name takes arguments by place, or has values of its own."""
    module, _, what = target.rpartition(".")
    built = getattr(importlib.import_module(module), what)
    line = inspect.getsourcelines(built)[1]
    for argument in inspect.signature(built).parameters.values():
        if argument.kind is not argument.KEYWORD_ONLY:
            yield f"{module}:{line}: {what}({argument.name}) must be keyword-only"
        if argument.default is not argument.empty:
            yield f"{module}:{line}: {what}({argument.name}) has a default; the value lives in YAML"


def imported(path: Path) -> set[str]:
    """What importing a module imports at once: not inside functions, not for type checkers only."""
    found: set[str] = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def start_up(name: str) -> dict[str, str]:
    """All modules that importing one of the project's own loads, each with the own module that wants it."""
    reached, waiting = {}, [name]
    while waiting:
        own = waiting.pop()
        for module in imported(PACKAGE.joinpath(*own.split(".")).with_suffix(".py")):
            inside = module.removeprefix("imagelab.")
            if module not in reached and PACKAGE.joinpath(*inside.split(".")).with_suffix(".py").is_file():
                waiting.append(inside)
            reached.setdefault(module, own)
    return reached


ANSWERS = [path for path in OPTIONS if path.parent.name not in RECIPES]
FAMILIES = Counter(target.rpartition(".")[0] for path in ANSWERS for target in targets(path))


def none_of(findings: Iterator[str] | list[str]) -> None:
    found = list(findings)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_code_says_what_it_is_in_short_files_with_plain_names(path: Path) -> None:
    none_of([*undocumented(path), *too_long(path), *vague(path)])


@pytest.mark.parametrize("path", OPTIONS, ids=name_of)
def test_an_option_begins_with_its_line_in_the_menu_and_names_no_other(path: Path) -> None:
    none_of([*uncommented(path), *interpolating(path), *vague(path)])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=name_of)
def test_a_command_begins_with_what_it_does(path: Path) -> None:
    none_of(uncommented(path))


@pytest.mark.parametrize("path", ANSWERS, ids=name_of)
def test_an_option_and_its_code_share_their_name(path: Path) -> None:
    none_of([*misnamed(path, FAMILIES), *misplaced(path)])


@pytest.mark.parametrize("target", sorted({target for path in OPTIONS for target in targets(path)}))
def test_what_configs_build_has_no_values_of_its_own(target: str) -> None:
    none_of(lenient(target))


@pytest.mark.parametrize("name", LIGHT)
def test_the_menu_and_the_check_load_nothing_heavy(name: str) -> None:
    none_of(
        f"src/imagelab/{own}.py imports {m}" for m, own in start_up(name).items() if m.split(".")[0] in HEAVY
    )


def test_one_function_builds_what_a_target_names() -> None:
    users = [
        name_of(path) for path in PACKAGE.rglob("*.py") if re.search(r"\binstantiate\(", path.read_text())
    ]
    assert users == ["src/imagelab/make.py"]


def test_the_rules_find_what_they_are_for(tmp_path: Path) -> None:
    code, option, folder = tmp_path / "bad.py", tmp_path / "bad.yaml", tmp_path / "trick"
    code.write_text("import torch\ndef f():\n" + "    pass\n" * 300)
    option.write_text("_target_: imagelab.schedule.decay.Constant\na: ${b}\n")
    folder.mkdir()
    (folder / "ema.yaml").write_text("# An average.\n_target_: imagelab.nowhere.EMA\n")
    found = [*undocumented(code), *too_long(code), *uncommented(option)]
    found += [*interpolating(option), *misnamed(option, Counter()), *misplaced(folder / "ema.yaml")]
    found += [*misnamed(folder / "ema.yaml", Counter()), *vague(ROOT / "src" / "utils" / "a.py")]
    found += lenient("imagelab.problem.nearest")
    wanted = [
        "bad.py:1:",
        "bad.py:302:",
        "bad.py:2: f has",
        "bad.yaml:1: begin",
        "bad.yaml:2: no file",
        "one idea",
    ]
    wanted += ["nest the keys under 'ema'", "there is no src/imagelab/nowhere.py", "'utils' says nothing"]
    wanted += ["nearest(word) must be keyword-only", "nearest(words) must be keyword-only"]
    assert imported(code) == {"torch"}
    assert len(found) == len(wanted)
    assert all(any(want in finding for finding in found) for want in wanted), found
