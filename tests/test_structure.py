"""The rules of CONTRIBUTING.md, kept by a test: each finding names file and line."""

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

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
LIGHT = (
    "cli",
    "launch",
    "config.validate",
    "config.rules.combinations",
    "config.help_text",
)  # what --help and a typo need
MEANINGS = {"softmax", "log_softmax", "argmax", "one_hot", "sigmoid", "logsumexp"}  # of outputs and targets
OWNERS = ("task", "loss", "metrics")  # which know what outputs and targets mean
NO_OUTPUTS = {
    "augment/random_erasing.py": "looks for the first rectangle that fits",
    "evaluation/shown.py": "looks for the pairs of networks that disagree the most",
    "finders/lr_rule.py": "looks for a place on a curve",  # room: finders
    "finetune/neighbours.py": "lets neighbours vote; there is no network",
    "reports/box_verdict.py": "looks for the best epoch",  # room: detection, reports
    "reports/curve_numbers.py": "looks for the best epoch",  # room: reports
    "model/fcos.py": "scores its own boxes within the network",  # room: detection
    "model/retinanet.py": "scores its own boxes within the network",  # room: detection
    "model/two_stages.py": "scores its own boxes within the network",  # room: detection
    "inspection/label_errors.py": "reads probabilities of a regression or a file",  # room: inspection
    "inspection/measures.py": "looks for the grey value that divides a histogram",  # room: inspection
    "inspection/suspects.py": "reads probabilities of a regression or a file",  # room: inspection
}

Findings = Iterator[str]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def undocumented(path: Path) -> Findings:
    if not (ast.get_docstring(tree_of(path)) or "").strip():
        yield f"{name_of(path)}:1: the module says nothing; begin with one sentence in a docstring"


def meaning(path: Path) -> Findings:
    """Findings where a file gives outputs or targets a meaning, which is for the task to do."""
    for node in ast.walk(tree_of(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        for found in MEANINGS & {name, *names}:
            yield f"{name_of(path)}:{node.lineno}: {found}: ask the task (`contracts.Task`, `Predicting`)"


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Each function of a file, with its number of lines."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1


def long_file(path: Path) -> Findings:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > FILE_LINES:
        yield f"{name_of(path)}:{lines}: {lines} lines, more than {FILE_LINES}; does it do two things?"


def long_functions(path: Path) -> Findings:
    for node, lines in functions(path):
        if lines > FUNCTION_LINES:
            yield f"{name_of(path)}:{node.lineno}: {node.name} has {lines} lines, over {FUNCTION_LINES}"


def vague(path: Path) -> Findings:
    for part in (*path.relative_to(ROOT).parent.parts, path.stem):
        if part in VAGUE or (part in HIDING and path.suffix == ".py"):
            yield f"{name_of(path)}:1: {part!r} says nothing, or hides Python's own; name what is inside"


def uncommented(path: Path) -> Findings:
    text = path.read_text(encoding="utf-8")
    first = next((line for line in text.splitlines() if not line.startswith("# @package")), "")
    if not first.startswith("# ") or len(first) > COMMENT_WIDTH:
        yield f"{name_of(path)}:1: begin with `# What it is: when to use it`, <= {COMMENT_WIDTH} wide"


def late_package(path: Path) -> Findings:
    if "\n# @package" in path.read_text(encoding="utf-8"):
        yield f"{name_of(path)}:1: Hydra sees `# @package` on the first line only"


def interpolating(path: Path) -> Findings:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "${" in line:
            yield f"{name_of(path)}:{number}: no file names another; pass facts in build.py, not by ${{…}}"


def targets(path: Path) -> list[str]:
    """All `_target_`s of a file that are the project's own."""
    found = re.findall(r"^\s*_target_:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [target for target in found if target.startswith("imagelab.")]


def module_file(target: str) -> Path:
    """Where a `_target_` of the project's own is written."""
    return ROOT / "src" / Path(*target.split(".")[:-1]).with_suffix(".py")


def homeless(path: Path) -> Findings:
    for target in targets(path):
        if not module_file(target).is_file():
            yield f"{name_of(path)}:1: {target}: there is no {name_of(module_file(target))}"


def misnamed(path: Path, families: Counter[str]) -> Findings:
    """Findings where a module that serves one option only has another name than the option."""
    for target in targets(path):
        module, _, what = target.rpartition(".")
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", what).lower()
        if families[module] < 2 and path.stem not in (module.rpartition(".")[2], snake):
            yield f"{name_of(path)}:1: {target}: one idea, one name; rename the option or the module"


def misplaced(path: Path) -> Findings:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.parent.name in LISTS and path.stem != "none" and list(content or {}) != [path.stem]:
        yield f"{name_of(path)}:1: {path.parent.name} is a list group; nest the keys under {path.stem!r}"


def arguments(target: str) -> Iterator[tuple[str, inspect.Parameter]]:
    """The arguments of an own callable that configs name, each with where it is written."""
    module, _, what = target.rpartition(".")
    built = getattr(importlib.import_module(module), what)
    line = inspect.getsourcelines(built)[1]
    for argument in inspect.signature(built).parameters.values():
        yield f"{module}:{line}: {what}({argument.name})", argument


def positional(target: str) -> Findings:
    for where, argument in arguments(target):
        if argument.kind is not argument.KEYWORD_ONLY and argument.name != "params":  # of an optimizer
            yield f"{where} must be keyword-only"


def valued(target: str) -> Findings:
    for where, argument in arguments(target):
        if argument.default is not argument.empty:
            yield f"{where} has a default; the value lives in YAML"


def roomless(test: Path) -> Findings:
    """Findings where a folder of tests has no folder of code with its name."""
    room = test.parent.relative_to(ROOT / "tests")
    if not any((above / room).is_dir() for above in (PACKAGE, ROOT)):
        yield f"{name_of(test)}:1: tests mirror the code, and there is no src/imagelab/{room}"


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


COMMANDS = sorted(CONFIGS.glob("*.yaml"))
TARGETS = sorted({target for path in OPTIONS for target in targets(path)})


def none_of(findings: Iterable[str]) -> None:
    found = list(findings)
    assert not found, "\n" + "\n".join(found)


def each(rule: Callable[[Any], Findings], things: Iterable[Any]) -> Findings:
    """What a rule finds in all of them."""
    return chain.from_iterable(map(rule, things))


def test_a_module_begins_with_a_docstring() -> None:
    none_of(each(undocumented, CODE))


def test_a_file_has_at_most_250_lines() -> None:
    none_of(each(long_file, CODE))


def test_a_function_has_at_most_40_lines() -> None:
    none_of(each(long_functions, CODE))


def test_half_of_all_functions_have_at_most_8_lines() -> None:
    assert median(lines for path in CODE for _, lines in functions(path)) <= 8


def test_the_name_of_a_file_says_what_is_inside() -> None:
    none_of(each(vague, [*CODE, *OPTIONS]))


def test_a_config_begins_with_its_line_in_the_menu() -> None:
    none_of(each(uncommented, [*OPTIONS, *COMMANDS]))


def test_a_package_directive_stands_on_the_first_line() -> None:
    none_of(each(late_package, [*OPTIONS, *COMMANDS]))


def test_no_config_names_a_value_of_another() -> None:
    none_of(each(interpolating, OPTIONS))


def test_what_an_option_builds_is_there() -> None:
    none_of(each(homeless, ANSWERS))


def test_an_option_and_its_module_share_their_name() -> None:
    none_of(finding for path in ANSWERS for finding in misnamed(path, FAMILIES))


def test_an_option_of_a_list_group_nests_under_its_own_name() -> None:
    none_of(each(misplaced, ANSWERS))


def test_what_configs_build_takes_keywords_only() -> None:
    none_of(each(positional, TARGETS))


def test_what_configs_build_has_no_values_of_its_own() -> None:
    none_of(each(valued, TARGETS))


def test_a_folder_of_tests_mirrors_a_folder_of_code() -> None:
    none_of(each(roomless, (ROOT / "tests").rglob("test_*.py")))


@pytest.mark.parametrize("name", LIGHT)
def test_the_menu_and_the_check_load_nothing_heavy(name: str) -> None:
    none_of(
        f"src/imagelab/{own}.py imports {m}" for m, own in start_up(name).items() if m.split(".")[0] in HEAVY
    )


def test_only_tasks_losses_and_metrics_know_what_outputs_and_targets_mean() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in OWNERS]
    strangers = {path: [*meaning(path)] for path in others}
    excused = {PACKAGE / name for name in NO_OUTPUTS}
    none_of(finding for path, findings in strangers.items() if path not in excused for finding in findings)
    assert all(strangers[path] for path in excused), "an exception that nothing needs any more"


def test_one_function_builds_what_a_target_names() -> None:
    users = [
        name_of(path) for path in PACKAGE.rglob("*.py") if re.search(r"\binstantiate\(", path.read_text())
    ]
    assert users == ["src/imagelab/config/make.py"]


@pytest.mark.parametrize(
    ("private", "home"),
    [
        (r"hydra\._internal|hydra\.core\.(utils|override_parser)", "config/hydra_internals.py"),
        (r"\b_trial_id\b|_study_id\b|optuna\.\S*\._", "sweep/study.py"),  # room: sweep
    ],
)
def test_what_a_library_does_not_promise_is_used_in_one_file(private: str, home: str) -> None:
    users = [path for path in PACKAGE.rglob("*.py") if re.search(private, path.read_text(encoding="utf-8"))]
    assert users == [PACKAGE / home]


def test_each_rule_finds_what_it_is_for(tmp_path: Path) -> None:
    code, option, ema = tmp_path / "bad.py", tmp_path / "bad.yaml", tmp_path / "trick" / "ema.yaml"
    code.write_text("import torch\ndef f():\n" + "    pass\n" * 300)
    asks, knows = tmp_path / "asks.py", tmp_path / "knows.py"
    asks.write_text("task.predictions(outputs)\nname = 'softmax'\n")
    knows.write_text("from scipy.special import softmax\nx = outputs.argmax(dim=1)\n")
    option.write_text("_target_: imagelab.schedule.decay.Constant\na: ${b}\n# @package x\n")
    ema.parent.mkdir()
    ema.write_text("# An average.\n_target_: imagelab.nowhere.EMA\n")
    assert imported(code) == {"torch"}
    for findings, wanted in (
        (undocumented(code), ["bad.py:1:"]),
        (long_file(code), ["bad.py:302:"]),
        (meaning(asks), []),
        (meaning(knows), ["knows.py:1: softmax", "knows.py:2: argmax"]),
        (long_functions(code), ["bad.py:2: f has"]),
        (uncommented(option), ["bad.yaml:1: begin"]),
        (late_package(option), ["bad.yaml:1: Hydra sees"]),
        (interpolating(option), ["bad.yaml:2: no file"]),
        (misnamed(option, Counter()), ["one idea"]),
        (misplaced(ema), ["nest the keys under 'ema'"]),
        (homeless(ema), ["there is no src/imagelab/nowhere.py"]),
        (vague(ROOT / "src" / "utils" / "a.py"), ["'utils' says nothing"]),
        (
            positional("imagelab.problem.nearest"),
            ["nearest(word) must be keyword-only", "nearest(words) must be keyword-only"],
        ),
        (valued("statistics.fmean"), ["fmean(weights) has a default"]),
        (roomless(ROOT / "tests" / "tricks" / "test_ema.py"), ["there is no src/imagelab/tricks"]),
    ):
        found = list(findings)
        assert len(found) == len(wanted)
        assert all(part in one for part, one in zip(wanted, found, strict=True)), found
