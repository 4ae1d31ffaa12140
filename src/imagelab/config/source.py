"""Find the source of the class or function that a dotted path names, without importing it."""

import ast
import builtins
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

DEPTH = 8  # most files through which `from x import name` is followed


class Definition(NamedTuple):
    """The source of a class or function, and the dotted path of its module."""

    node: ast.ClassDef | ast.FunctionDef
    module: str


def definition(target: str, depth: int = DEPTH) -> Definition | None:
    """Find the source of what a dotted path names, following `from x import name`; None: not found.

    >>> definition("torch.optim.LBFGS").module
    'torch.optim.lbfgs'
    """
    module, _, name = target.rpartition(".")
    path = _file(module)
    if path is None or depth == 0:
        return None
    for node in reversed(_statements(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Definition(node, module)
        if isinstance(node, ast.ImportFrom):
            for source, original in _imports(node, name, module, path):
                found = definition(f"{source}.{original}", depth - 1)
                if found:
                    return found
    return None


def bases(of: Definition) -> list[str | None]:
    """The dotted path of each base of a class; None: the source does not show it.

    >>> bases(definition("imagelab.trick.early_stopping.EarlyStopping"))
    ['lightning.pytorch.callbacks.EarlyStopping']
    """
    assert isinstance(of.node, ast.ClassDef)
    return [_base(base, of) for base in of.node.bases]


def _base(base: ast.expr, of: Definition) -> str | None:
    """The dotted path that an expression such as `optim.LBFGS` or `Generic[T]` has in its module."""
    while isinstance(base, ast.Subscript):
        base = base.value
    head, dot, rest = ast.unparse(base).partition(".")
    path = _file(of.module)
    assert path is not None
    before = [node for node in _statements(path) if node.lineno < of.node.lineno]
    meanings = (meaning for node in reversed(before) for meaning in _meanings(node, head, of.module, path))
    found = next(meanings, f"builtins.{head}" if hasattr(builtins, head) else None)
    return found and found + dot + rest


def _meanings(node: ast.stmt, name: str, module: str, path: Path) -> Iterator[str]:
    """The dotted path that a statement of a module binds to a name, if it does."""
    if isinstance(node, ast.ClassDef) and node.name == name:
        yield f"{module}.{name}"
    if isinstance(node, ast.Import):
        for alias in node.names:
            if name == (alias.asname or alias.name.partition(".")[0]):
                yield alias.name if alias.asname else name
    if isinstance(node, ast.ImportFrom):
        starred = any(alias.name == "*" for alias in node.names)
        for source, original in _imports(node, name, module, path):
            if not starred or definition(f"{source}.{original}"):
                yield f"{source}.{original}"


def _imports(node: ast.ImportFrom, name: str, module: str, path: Path) -> Iterator[tuple[str, str]]:
    source = node.module or ""
    if node.level:
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        source = ".".join([*package[: len(package) - node.level + 1], *filter(None, [source])])
    for alias in node.names:
        if alias.name == "*" or name == (alias.asname or alias.name):
            yield source, name if alias.name == "*" else alias.name


@cache
def _statements(path: Path) -> list[ast.stmt]:
    """The statements of a module, including those under `if` and `try`."""
    return list(_flat(ast.parse(path.read_text(encoding="utf-8")).body))


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            handlers = [one for handler in getattr(node, "handlers", []) for one in handler.body]
            yield from _flat([*node.body, *handlers, *node.orelse])


def _file(module: str) -> Path | None:
    top, *rest = module.split(".")
    spec = PathFinder.find_spec(top) if top else None
    if spec is None:
        return None
    if not rest and spec.origin and spec.origin.endswith(".py"):  # also a module that is not a package
        return Path(spec.origin)
    for base in spec.submodule_search_locations or []:
        path = Path(base, *rest)
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None
