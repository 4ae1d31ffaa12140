"""Read the signature of a class or function: quickly from its source, or exactly by importing it."""

import ast
import collections.abc
import inspect
import typing
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from imagelab.config.source import definition
from imagelab.problem import nearest


class Opaque:
    """Stands for a class whose instances cannot be written in YAML."""


WORDS: dict[str, Any] = {**vars(typing), **vars(collections.abc), "Path": Path, "Tensor": Opaque}


class Argument(NamedTuple):
    """The type of an argument, `Any` if unknown, and whether it is required."""

    hint: Any
    needed: bool


class Signature(NamedTuple):
    """The arguments by name; `open`: any other name is accepted too."""

    arguments: dict[str, Argument]
    open: bool


def from_import(target: str) -> Signature:
    """The signature of the class or function with this dotted path.

    Raises:
        LookupError: If there is none; the message is a sentence.
    """
    thing = _imported(target)
    try:
        parameters = inspect.signature(thing).parameters.values()
    except ValueError:  # some builtins have none
        return Signature({}, open=True)
    try:
        hints = typing.get_type_hints(thing.__init__ if inspect.isclass(thing) else thing)
    except (NameError, AttributeError, TypeError):  # names that are imported for type checkers only
        hints = {}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    arguments = {p.name: Argument(hints.get(p.name, Any), p.default is p.empty) for p in named}
    return Signature(arguments, open=any(p.kind is p.VAR_KEYWORD for p in parameters))


@cache
def from_source(target: str) -> Signature | None:
    """The same without importing anything; None if the source alone does not show it.

    >>> from_source("imagelab.problem.Problem") is None  # inherits its arguments from a builtin
    True
    """
    found = definition(target)
    return _of_definition(*found) if found else None


def _imported(target: str) -> Any:
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:cut])
        try:
            thing = import_module(path)
        except ModuleNotFoundError as error:
            if error.name and not path.startswith(error.name):
                raise LookupError(
                    f"{target} needs the package {error.name}, which is not installed"
                ) from error
            continue
        for part in parts[cut:]:
            if not hasattr(thing, part):
                raise LookupError(f"{path} has no {part}{nearest(part, vars(thing))}")
            thing = getattr(thing, part)
        return thing
    raise LookupError(f"there is no {target}; write the full dotted path, such as torch.optim.AdamW")


def _of_definition(node: ast.ClassDef | ast.FunctionDef, module: str) -> Signature | None:
    """The signature of a function, or of a class: its `__init__`, fields, or first base with source."""
    if isinstance(node, ast.FunctionDef):
        return _read(node)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _read(item)
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    above = [found for name in names if (found := definition(f"{module}.{name}"))]
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        inherited = [_of_definition(*base) for base in above]
        known = {key: hint for base in inherited if base for key, hint in base.arguments.items()}
        return Signature(known | _fields(node), open=False)
    if not node.bases:
        return Signature({}, open=False)
    return _of_definition(*above[0]) if above else None


def _fields(node: ast.ClassDef) -> dict[str, Argument]:
    annotated = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    own = [item for item in annotated if "ClassVar" not in ast.unparse(item.annotation)]
    return {ast.unparse(item.target): Argument(_hint(item.annotation), item.value is None) for item in own}


def _read(function: ast.FunctionDef) -> Signature:
    listed = function.args.posonlyargs + function.args.args
    defaults = [None] * (len(listed) - len(function.args.defaults)) + function.args.defaults
    pairs = [
        *zip(listed, defaults, strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    arguments = {a.arg: Argument(_hint(a.annotation), d is None) for a, d in pairs if a.arg != "self"}
    return Signature(arguments, open=function.args.kwarg is not None)


def _hint(annotation: ast.expr | None) -> Any:
    try:
        return Any if annotation is None else eval(ast.unparse(annotation), dict(WORDS))
    except Exception:  # a name defined only in its own module
        return Any
