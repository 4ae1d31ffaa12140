"""Keep groups of images on one side: those of a patient, a film, a product.

Source: for folds, the greedy assignment of scikit-learn's StratifiedGroupKFold, the largest groups first.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from imagelab.data.content import digest
from imagelab.data.labels import kind_of, strata
from imagelab.data.manifest import GROUP, Table, read_rows, refuse
from imagelab.data.paths import Paths
from imagelab.data.scan import UNREADABLE
from imagelab.problem import Problem, some_of
from imagelab.randomness import keyed


def together(
    group: str | None, paths: Paths, contents: np.ndarray, top: Path, table: Table | None
) -> np.ndarray | None:
    """The number of what must stay together, (N,) uint64: groups, and groups with copies; None: no groups.

    Args:
        group: As in `groups_of`; None: the table's own column of groups, or else no groups.
        paths: Paths of N files.
        contents: (N,) uint64, a hash of each file's bytes; UNREADABLE for those that cannot be read.
        top: Folder with the files.
        table: Table of their labels, if there is one.

    Raises:
        Problem: As in `groups_of`.
    """
    if table is not None and GROUP in table.columns:
        if group is not None:
            raise Problem(f"data.group={group}: data.columns names a column of groups, too; leave one out")
        group = GROUP
    return None if group is None else stay_together(groups_of(group, paths, top, table), contents)


def groups_of(group: str, paths: Paths, top: Path, table: Table | None) -> list[str]:
    """The name of each file's group.

    Args:
        group: A regular expression with one pair of parentheses, or a column of the table.
        paths: Paths of N files.
        top: Folder to which the expression sees them relative.
        table: Table of their labels, if there is one.

    Raises:
        Problem: There is no such column, the expression does not fit, or files have no group.
    """
    if "(" in group:
        return groups_by_pattern([os.path.relpath(path, top).replace(os.sep, "/") for path in paths], group)
    pattern = "a pattern over the names of files has parentheses, such as '(patient[0-9]+)'"
    if table is None:
        raise Problem(f"data.group={group}: {top} has no table with columns; set data.manifest, or {pattern}")
    rows = read_rows(table, top, [group], f"data.group=COLUMN names a column, and {pattern}")
    bare = [row for row in rows if not row.labels[0]]
    refuse(table, f"files without a group in the column {group}", bare, [row.file for row in bare])
    cells = {row.file: row.labels[0] for row in rows}
    return [cells[path] for path in paths]


def groups_by_pattern(names: Iterable[str], pattern: str) -> list[str]:
    """The group of each name: what the parentheses of the expression match in it.

    >>> groups_by_pattern(["cat/film7_01.jpg", "dog/film7_02.jpg"], "(film[0-9]+)_")
    ['film7', 'film7']

    Raises:
        Problem: The expression is none, has not one group, or finds none in a name.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise Problem(f"data.group={pattern} is not a regular expression: {error}") from error
    if expression.groups != 1:
        raise Problem(f"data.group={pattern}: wants one pair of parentheses, got {expression.groups}")
    names = list(names)
    found = [expression.search(name) for name in names]
    if strange := [name for name, match in zip(names, found, strict=True) if not (match and match[1])]:
        count = f"{len(strange):,} of {len(names):,} files"
        raise Problem(f"data.group={pattern}: finds no group in {count}: {some_of(strange)}")
    return [match[1] for match in found if match]


def stay_together(groups: Sequence[str], contents: np.ndarray) -> np.ndarray:
    """The number of what must stay together, (N,) uint64: groups, and groups that hold copies of one file.

    Args:
        groups: Name of the group of each of N files.
        contents: (N,) uint64, a hash of each file's bytes; UNREADABLE for those that cannot be read.
    """
    told = [digest(group.encode(errors="surrogateescape")) for group in groups]
    numbers = np.array(told, dtype=np.uint64)
    readable = contents != UNREADABLE
    numbers[readable] = units(contents[readable], numbers[readable])
    return numbers


def units(contents: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The number of each image's group, (N,) uint64; groups that hold copies of each other have the same.

    >>> units(np.array([1, 2, 2, 3], np.uint64), np.array([7, 7, 8, 9], np.uint64)).tolist()
    [7, 7, 7, 9]
    """
    from scipy.sparse import coo_array  # not at every start
    from scipy.sparse.csgraph import connected_components

    content, group = (np.unique(one, return_inverse=True)[1] for one in (contents, groups))
    count = 2 * len(contents)
    ends = content, group + len(contents)
    graph = coo_array((np.ones(len(contents), dtype=bool), ends), shape=(count, count))
    component = connected_components(graph, directed=False)[1][content]
    first = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(first, component, groups)
    return first[component]


def part_of_groups(labels: np.ndarray, together: np.ndarray, fraction: float, purpose: str) -> np.ndarray:
    """Which of N images to hold out, (N,) bool: whole groups, each that brings the shares of classes nearer.

    Args:
        labels: Labels, as in `contracts.Images`.
        together: Number of each image's group, (N,) uint64.
        fraction: Share of each class to hold out, in (0, 1).
        purpose: What for; each purpose has an order of its own.

    Raises:
        Problem: All are of one group.
    """
    numbers, group, table = _table(labels, together, least=2)
    totals = table.sum(axis=0)
    missing = fraction * totals
    taken = np.zeros(len(numbers), dtype=bool)
    for place in np.argsort(keyed(numbers, purpose)).tolist():
        if (table[place] * (2 * missing - table[place]) / totals).sum() > 0:  # the error falls by that
            taken[place] = True
            missing = missing - table[place]
    if len(numbers) and not taken.any():
        taken[table.sum(axis=1).argmin()] = True
    return taken[group]


def folds_of_groups(labels: np.ndarray, together: np.ndarray, count: int) -> np.ndarray:
    """The fold of each of N images, (N,) int64: the largest groups first, each where its classes lack."""
    numbers, group, table = _table(labels, together, least=count)
    totals = table.sum(axis=0)
    loads = np.zeros((count, len(totals)))
    fold = np.zeros(len(numbers), dtype=np.int64)
    for place in np.lexsort((keyed(numbers, "fold"), -table.sum(axis=1))).tolist():
        fullness = np.stack([loads @ (table[place] / totals), loads.sum(axis=1)])
        fold[place] = np.lexsort(fullness[::-1])[0]
        loads[fold[place]] += table[place]
    return fold[group]


def _table(labels: np.ndarray, together: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the G groups, the group of each image, and how many of each class are in it, (G, K)."""
    numbers, group = np.unique(together, return_inverse=True)
    if 0 < len(numbers) < least:
        raise Problem(
            f"data.group: {len(numbers)} groups cannot be dealt to {least} parts, of {len(labels):,} images; "
            "say what names smaller groups, or leave it out"
        )
    if kind_of(labels) == "multilabel":
        table = np.zeros((len(numbers), 1 + labels.shape[1]))
        np.add.at(table, group, np.column_stack([np.ones(len(labels)), labels]))
        return numbers, group, table[:, table.any(axis=0)]
    classes = np.unique(strata(labels), return_inverse=True)[1]
    table = np.zeros((len(numbers), classes.max(initial=0) + 1))
    np.add.at(table, (group, classes), 1)
    return numbers, group, table
