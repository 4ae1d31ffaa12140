"""The formats of exported files: a module each, found by the name of the format or the ending of a file."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imagelab.problem import Problem, nearest

ENDINGS = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}


def is_exported(path: Path) -> bool:
    """Whether a path ends as an exported file does."""
    return path.suffix in ENDINGS.values()


def module(name: str) -> Any:
    """What has `write(path, predictor, card, opset=...)` and `load_exported(path)` for files of a format."""
    return import_module(f"imagelab.exporting.{name}")


def load_exported(path: Path) -> Any:
    """What an exported file predicts with: `classes`, `images` and `files`, as a predictor has them.

    Raises:
        Problem: There is no such file, it is damaged, another program's, or a package is missing.
    """
    if not path.is_file():
        there = [str(file) for file in path.parent.glob("*") if is_exported(file)]
        raise Problem(f"run={path}: there is no such file{nearest(str(path), there)}")
    name = next(name for name, ending in ENDINGS.items() if ending == path.suffix)
    return module(name).load_exported(path)


def need(*packages: str) -> None:
    """Raise a Problem where one of the packages that ONNX files take is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise Problem(
            f"ONNX files need {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not "
            f"installed: uv pip install 'imagelab[export]' (or: pip install {' '.join(missing)})"
        )
