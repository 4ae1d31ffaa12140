"""Take tests that need a choice out of files that stay: a row of a table if that is enough, else the test.

A table is a list or dict at the top of a file, or one that `parametrize` goes through. What uses a name that
has gone goes as well, in other files too.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from scripts.asked import Choice

Files = dict[str, str]
Lost = dict[str, set[str]]  # names that have gone, by module
Display = ast.List | ast.Tuple | ast.Set | ast.Dict
Part = ast.expr | ast.keyword  # of a row
Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
TEST = re.compile(r"(?m)^ *(?:async )?def (test_\w+)")
Place = tuple[int, int]  # line, column in bytes


class Cut(NamedTuple):
    """A part of a file that goes, what stands there instead, and the names that go with it."""

    first: Place
    last: Place
    instead: str = ""
    names: frozenset[str] = frozenset()


def untested(files: Files, gone: Mapping[str, str], choice: Choice) -> Files:
    """The files without the tests that need a choice.

    Args:
        files: Contents by path.
        gone: Contents of the Python files that have gone, by module.
        choice: The choice that has gone.
    """
    left = {path: text for path, text in files.items() if path.startswith("tests/") and path[-3:] == ".py"}
    tested = {path for path, text in left.items() if TEST.search(text)}
    lost: Lost = {
        module: {name for one in ast.parse(text).body for name in _defined(one)}
        for module, text in gone.items()
    }
    before: Files = {}
    while before != left:
        before = dict(left)
        for path, text in before.items():
            left[path] = _without(text, choice, lost, path[:-3].replace("/", "."))
    empty = {path for path in tested if not TEST.search(left[path])}
    empty -= {path for path in empty if _helps(path, left)}
    return {path: left.get(path, text) for path, text in files.items() if path not in empty}


def _helps(path: str, left: Files) -> bool:
    """Whether other files import from a file of tests, so that it stays without any."""
    module = path[:-3].replace("/", ".")
    return any(_imports(text, module) for other, text in left.items() if other != path)


def _without(text: str, choice: Choice, lost: Lost, module: str) -> str:
    """One file without what names the choice or what has gone; names that go here join `lost`."""
    while _may_need(text, choice) or module in lost or any(_imports(text, other) for other in lost):
        tests = {name for names in lost.values() for name in names if name.startswith("test_")}
        gone = lost.get(module, set()) | tests | {name for name in lost if not name.startswith("tests.")}
        may = (one for one, words in _statements(text) if _may_name(one, words, choice, gone))
        cut = next((found for one in may if (found := _cut(one, choice, gone, lost))), None)
        if cut is None:
            break
        lost.setdefault(module, set()).update(cut.names)
        raw = text.encode()
        lines = [0, *(found.end() for found in re.finditer(b"\n", raw))]
        first, last = (lines[line - 1] + column for line, column in (cut.first, cut.last))
        text = (raw[:first] + cut.instead.encode() + raw[last:]).decode()
    return text


def _may_need(text: str, choice: Choice) -> bool:
    return choice.name in text or '"test_' in text  # the name of a test, which may have gone


@lru_cache(512)
def _statements(text: str) -> list[tuple[ast.stmt, frozenset[str]]]:
    """The statements at the top of a file, each with the names and strings in it."""
    return [(one, frozenset(_words(one))) for one in ast.parse(text).body]


def _words(statement: ast.stmt) -> Iterator[str]:
    """The names and the strings of a statement."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield from [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]


def _may_name(statement: ast.stmt, words: frozenset[str], choice: Choice, gone: set[str]) -> bool:
    """Whether a statement may have to go: a quick look that saves most of them a closer one."""
    if isinstance(statement, ast.ImportFrom) or not gone.isdisjoint(words):
        return True
    return any(choice.name in word for word in words)


def _imports(text: str, module: str) -> bool:
    parent, _, name = module.rpartition(".")
    return f"from {module} " in text or (f"from {parent} " in text and name in text)


def _is_lost(imports: ast.ImportFrom, alias: ast.alias, lost: Lost) -> bool:
    module = imports.module or ""
    if module.startswith("tests"):
        return alias.name in lost.get(module, ())
    return module in lost or f"{module}.{alias.name}" in lost


def _cut(statement: ast.stmt, choice: Choice, gone: set[str], lost: Lost) -> Cut | None:
    """What of a statement at the top of a file has to go first."""
    if isinstance(statement, ast.ImportFrom):
        kept = [alias for alias in statement.names if not _is_lost(statement, alias, lost)]
        names = {alias.asname or alias.name for alias in statement.names if alias not in kept}
        shorter = ast.unparse(ast.ImportFrom(statement.module, kept, 0)) if kept else ""
        return Cut(_start(statement), _end(statement), shorter, frozenset(names)) if names else None
    rows = [row for table in _tables(statement) for row in _rows(table)]
    body = statement.body if isinstance(statement, Defined) else [] if rows else [statement]
    if not _names(statement, choice, gone) and not any(_needs(part, choice, gone) for part in [body, *rows]):
        return None
    return _row(statement, choice, gone) or _lines(statement)._replace(names=_defined(statement))


def _lines(statement: ast.stmt) -> Cut:
    """A statement as a whole, with a comment behind it."""
    return Cut((_start(statement)[0], 0), (_end(statement)[0] + 1, 0))


def _row(statement: ast.stmt, choice: Choice, gone: set[str]) -> Cut | None:
    """The first row of a table, or the first assertion, that has to go, if others stay."""
    for table in _tables(statement):
        rows = list(_rows(table))
        hit = [_needs(row, choice, gone) for row in rows]
        if all(hit) or not any(hit):
            continue
        at = hit.index(True)
        if not isinstance(statement, Defined) and len(rows[at]) == 1 and _is_word(rows[at][0], choice):
            return None
        if at + 1 < len(rows):
            return Cut(_start(rows[at][0]), _start(rows[at + 1][0]))
        return Cut(_end(rows[at - 1][-1]), _end(rows[at][-1]))
    body = statement.body if isinstance(statement, ast.FunctionDef) else []
    asserts = [one for one in body if isinstance(one, ast.Assert)]
    hit = [one for one in asserts if _needs([one], choice, gone)]
    return _lines(hit[0]) if 0 < len(hit) < len(asserts) else None


def _is_word(row: Part, choice: Choice) -> bool:
    """Whether a row is part of a command line, which would be about something else without it."""
    alone = isinstance(row, ast.Constant) and f"{choice.group}={choice.name}" in str(row.value)
    return alone or isinstance(row, ast.Starred)


def _tables(statement: ast.AST) -> Iterator[Display]:
    """The outermost lists and dicts of a constant, or of the decorators of a function."""
    if isinstance(statement, Display):
        yield statement
    elif isinstance(statement, Defined):
        for decorator in statement.decorator_list:
            yield from _tables(decorator)
    elif not isinstance(statement, ast.stmt) or isinstance(statement, ast.Assign | ast.AnnAssign):
        for child in ast.iter_child_nodes(statement):
            yield from _tables(child)


def _rows(table: Display) -> Iterator[Sequence[Part]]:
    if isinstance(table, ast.Dict):
        pairs = zip(table.keys, table.values, strict=True)
        yield from ([key, value] if key else [_unpacked(value)] for key, value in pairs)
    else:
        yield from ([one] for one in table.elts)


def _unpacked(value: ast.expr) -> ast.keyword:
    """What `**` unpacks into a dict, from its asterisks on."""
    unpacked = ast.copy_location(ast.keyword(None, value), value)
    unpacked.col_offset -= len("**")
    return unpacked


def _needs(code: Sequence[ast.AST], choice: Choice, gone: set[str]) -> bool:
    """Whether code cannot do without the choice, or without what has gone."""
    nodes = [node for part in code for node in ast.walk(part)]
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return choice.subject(strings) or any(_names(part, choice, gone) for part in code)


def _names(tree: ast.AST, choice: Choice, gone: set[str], parent: ast.AST | None = None) -> bool:
    """Whether code names the choice or what has gone.

    A variable may be compared with its word, and the word may be an argument for something else, as in
    `Trainer(accelerator="cpu")`.
    """
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        if tree.value in gone and tree.value.startswith("test_"):
            return True
        if tree.value == choice.name:
            compared = isinstance(parent, ast.Compare) and isinstance(parent.left, ast.Name)
            other = isinstance(parent, ast.keyword) and parent.arg not in (choice.group, "choice", "name")
            return not (compared or other)
        return choice.asked(tree.value) and not isinstance(parent, ast.Expr)
    if isinstance(tree, ast.ImportFrom):
        return not gone.isdisjoint([tree.module, *(f"{tree.module}.{alias.name}" for alias in tree.names)])
    if isinstance(tree, ast.Name | ast.arg) and (tree.id if isinstance(tree, ast.Name) else tree.arg) in gone:
        return True
    return any(_names(child, choice, gone, tree) for child in ast.iter_child_nodes(tree))


def _defined(statement: ast.stmt) -> frozenset[str]:
    if isinstance(statement, Defined):
        return frozenset([statement.name])
    names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return frozenset(node.id for node in names if isinstance(node.ctx, ast.Store))


def _start(node: ast.stmt | Part) -> Place:
    decorators = [one.lineno for one in node.decorator_list] if isinstance(node, Defined) else []
    return (min(decorators), 0) if decorators else (node.lineno, node.col_offset)


def _end(node: ast.stmt | Part) -> Place:
    return node.end_lineno or node.lineno, node.end_col_offset or 0
