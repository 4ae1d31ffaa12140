"""List the pictures that a command is given: a file, a folder or a glob."""

import os
from collections.abc import Iterator
from pathlib import Path

from imagelab.data.listing import is_picture
from imagelab.data.manifest import Table, read_rows
from imagelab.problem import Problem

TABLES = (".csv", ".tsv")


def pictures(source: str) -> tuple[list[Path], int]:
    """List the pictures of a source: a file, those below a folder except hidden ones, or those of a glob.

    As in `data=folder`, the ending of a name tells a picture. A file that is given by its name is always one,
    and so are the files of a glob that finds no pictures. Returns also how many files were skipped.

    Raises:
        Problem: If there are none.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        below = (file for file in path.rglob("*") if not _hidden(file.relative_to(path)))
    else:
        below = [path] if os.path.lexists(path) else _matching(path)
    found = sorted(file for file in below if not file.is_dir())  # what is no file is listed as unreadable
    named = [file for file in found if is_picture(str(file))]
    if not path.is_dir() and not named:
        named = found
    if not named:
        raise Problem(f"source={source}: wants an image, a folder with images, or a glob that matches some")
    return named, len(found) - len(named)


def listed(source: str) -> tuple[list[Path], int, Table | None]:
    """As `pictures`; a CSV file stands for the files in its column `file`, and is returned as a table, too.

    Raises:
        Problem: There are no pictures, or the table names some that do not exist.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() not in TABLES or not path.is_file():
        return *pictures(source), None
    table = Table(path, {}, "auto")
    rows = read_rows(table, path.parent, [])
    if not rows:
        raise Problem(f"source={source}: the table names no files")
    return [Path(row.file) for row in rows], 0, table


def _matching(pattern: Path) -> Iterator[Path]:
    """What a glob finds but what is hidden; `**` follows no links, which could form rings."""
    top = Path(pattern.anchor)
    parts = [*pattern.relative_to(top).parts, *(["*"] if pattern.name == "**" else [])]
    try:
        for found in top.glob(str(Path(*parts))):
            if not any(part.startswith(".") and part not in parts for part in found.parts):
                yield found
    except (ValueError, NotImplementedError) as error:
        raise Problem(f"source={pattern}: {error}") from error


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
