"""An import stands inside a function because of a library that takes time, memory or an extra to load."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from imagelab.cli import COMMANDS
from tests.test_structure import PACKAGE, Findings, imported, name_of, none_of, start_up, tree_of

SLOW = {  # to load, or installed with an extra only
    *("torch", "lightning", "torchvision", "timm", "torchmetrics.detection", "captum", "onnxruntime"),
    *("numpy", "scipy", "sklearn", "pyarrow", "albumentations", "cv2", "PIL", "hydra", "pydantic", "rich"),
    *("huggingface_hub", "wandb", "mlflow", "tensorboard", "optuna", "submitit"),
}
LATE = {f"{module}.py" for module, _ in COMMANDS.values()}  # commands import after the check of the config


def lazy(path: Path) -> Iterator[tuple[int, set[str]]]:
    """Line and modules of each import inside a function."""
    functions = [one for one in ast.walk(tree_of(path)) if isinstance(one, ast.FunctionDef)]
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.Import):
            yield node.lineno, {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


@cache
def slow(module: str) -> set[str]:
    """The slow libraries that importing a module loads."""
    own = module.removeprefix("imagelab.")
    is_own = own != module and PACKAGE.joinpath(*own.split(".")).with_suffix(".py").is_file()
    reached = {module, *start_up(own)} if is_own else {module}
    return {name for name in SLOW if any(f"{one}.".startswith(f"{name}.") for one in reached)}


def needless(path: Path) -> Findings:
    """Imports inside functions that load nothing slow, or only what the module itself has loaded."""
    late = list(lazy(path))
    there = {name for module in (imported(path) if late else ()) for name in slow(module)}
    for line, modules in late:
        if not {name for module in modules for name in slow(module)} - there:
            yield f"{name_of(path)}:{line}: nothing slow is loaded here; move the import to the top"


def test_imports_inside_functions_are_for_what_is_slow_to_load() -> None:
    others = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in LATE]
    assert sum(len([*lazy(path)]) for path in others) > 50
    none_of(finding for path in others for finding in needless(path))


def test_an_import_that_could_stand_at_the_top_is_found(tmp_path: Path) -> None:
    code = tmp_path / "bad.py"
    late = ["import gc", "import timm", "from imagelab.problem import Problem", "import torch.nn"]
    code.write_text("\n    ".join(["import torch\n\ndef f():", *late]))
    assert [finding.split(":")[1] for finding in needless(code)] == ["4", "6", "7"]
