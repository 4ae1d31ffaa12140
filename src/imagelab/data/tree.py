"""List all files below a folder, each folder once even if several links lead to it."""

import os
from typing import NamedTuple

from imagelab.problem import Problem


class Tree(NamedTuple):
    """The content of a folder: paths of all that is not a folder, and of all folders, itself included."""

    files: list[str]
    folders: list[str]


def tree(folder: str, *, hidden: bool = False) -> Tree:
    """List everything below a folder, in no order, without hidden folders; `hidden`: with hidden files.

    Links to folders are followed after all real folders. A folder that several paths lead to is listed once,
    so a circle of links ends.

    Raises:
        Problem: A folder cannot be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    seen: set[str] = set()
    waiting = [folder]
    links = list[str]()
    while waiting or links:
        here = waiting.pop() if waiting else links.pop(0)
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        folders.append(here)
        found, below, linked = _entries(here, hidden)
        files += found
        waiting += below
        links += sorted(linked)
    return Tree(files, folders)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a broken link, or one to itself, is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(folder: str, hidden: bool) -> tuple[list[str], list[str], list[str]]:
    """Paths of the files, the folders, and the links to folders in a folder."""
    files = list[str]()
    below = list[str]()
    linked = list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                secret = entry.name.startswith(".")
                if not is_folder(entry):
                    files += [] if secret and not hidden else [entry.path]
                elif not secret:
                    (linked if entry.is_symlink() else below).append(entry.path)
    except OSError as error:
        raise Problem(f"{folder} cannot be listed: {error.strerror or error}") from error
    return files, below, linked
