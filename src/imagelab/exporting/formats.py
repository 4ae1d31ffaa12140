"""Find the module of an export format by its name or by the suffix of a file."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imagelab.problem import Problem, nearest
from imagelab.runs.find import elsewhere

HUB = "hub"  # a folder with a file of weights
ENDINGS = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}


def is_exported(path: str | Path) -> bool:
    """Whether a path on this machine has the suffix of an exported file."""
    return not elsewhere(path) and Path(path).suffix in ENDINGS.values()


def module(name: str) -> Any:
    """The module with `write(path, predictor, card, opset=...)` and `load_exported(path)` of a format."""
    return import_module(f"imagelab.exporting.{name}")


def load_exported(path: str | Path) -> Any:
    """Load an exported file, to use like a predictor: `classes`, `images` and `files`.

    Raises:
        Problem: If the file is missing, damaged or from another program, or a package is missing.
    """
    path = Path(path)
    if not path.is_file():
        there = [str(file) for file in path.parent.glob("*") if is_exported(file)]
        raise Problem(f"run={path}: there is no such file{nearest(str(path), there)}")
    name = next(name for name, ending in ENDINGS.items() if ending == path.suffix)
    return module(name).load_exported(path)


def need(*packages: str) -> None:
    """Raise a Problem if a package that ONNX files need is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise Problem(
            f"ONNX files need {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not "
            f"installed: uv pip install 'imagelab[export]' (or: pip install {' '.join(missing)})"
        )
