"""Cut what carries the marker of a room out of a file: `# room: sweep`, in Markdown `<!-- room: sweep -->`.

On the first line the marker stands for the whole file; alone on any other line for the lines down to `# end`;
behind code for the statement that begins or ends on its line; inside one, and outside Python, for the line.
Several rooms are listed with commas: the marked part goes with any of them.
"""

import ast
import re
from collections.abc import Iterator

MARKER = re.compile(r"(?:#|<!--) room: ([\w/]+(?:, [\w/]+)*)(?: -->)?$")
END = re.compile(r"\s*(?:# end|<!-- end -->)$")
Bodied = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If | ast.For | ast.While | ast.With | ast.Try
)


def rooms_of(line: str) -> set[str]:
    """The rooms that a line carries the markers of.

    >>> sorted(rooms_of("from imagelab.sweep import entry  # room: sweep, task/simclr"))
    ['sweep', 'task/simclr']
    """
    found = MARKER.search(line.rstrip())
    return set(found.group(1).split(", ")) if found else set()


def cut(path: str, text: str, room: str) -> str | None:
    r"""A file without what belongs to a room; None if all of it does.

    >>> cut("Makefile", "all:\n# room: checks\ncheck:\n# end\nlint:  # room: style\n", "checks")
    'all:\nlint:  # room: style\n'
    """
    if room not in text:
        return text
    lines = text.splitlines(keepends=True)
    marked = [number for number, line in enumerate(lines, 1) if room in rooms_of(line)]
    if not marked:
        return text
    if marked[0] == 1 and _alone(lines[0]):
        return None
    spans = list(_statements(ast.parse(text))) if path.endswith(".py") else []
    gone: set[int] = set()
    for number in marked:
        gone |= _block(lines, number) if _alone(lines[number - 1]) else _statement(spans, number)
    return "".join(line for number, line in enumerate(lines, 1) if number not in gone)


def _alone(line: str) -> bool:
    return line.lstrip().startswith(("# room: ", "<!-- room: "))


def _block(lines: list[str], first: int) -> set[int]:
    """The numbers of the lines from a marker to the next end."""
    last = next(number for number in range(first, len(lines) + 1) if END.match(lines[number - 1]))
    return set(range(first, last + 1))


def _statement(spans: list[tuple[set[int], int, int]], number: int) -> set[int]:
    """The lines of the innermost statement whose first or last line, or that of its head, is this one."""
    found = [(last - first, first, last) for edges, first, last in spans if number in edges]
    if not found:
        return {number}
    _, first, last = min(found)
    return set(range(first, last + 1))


def _statements(tree: ast.Module) -> Iterator[tuple[set[int], int, int]]:
    """Of each statement the lines that a marker can stand on, its first line and its last."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.ExceptHandler):
            continue
        above = [decorator.lineno for decorator in getattr(node, "decorator_list", [])]
        first, last = min([node.lineno, *above]), node.end_lineno or node.lineno
        head = last
        if isinstance(node, Bodied | ast.ExceptHandler):
            inner = node.body[0]
            within = [decorator.lineno for decorator in getattr(inner, "decorator_list", [])]
            head = max(node.lineno, min([inner.lineno, *within]) - 1)
        yield {first, node.lineno, head}, first, last
