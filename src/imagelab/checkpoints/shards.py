"""Know the parts of a checkpoint that several processes wrote beside it, find damage in them, clear old ones.

The checkpoint itself is a small file that lists its parts with their checksums, so it replaces the one before
in one step, and a kill at any moment leaves the parts of a whole one.
"""

import shutil
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

KEY = "shards"  # in a checkpoint: the name of their folder, and size and CRC-32 of each
PARTS = "shards"  # folder of such folders, beside the checkpoint
CHUNK = 1 << 22


def measured(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size in bytes and CRC-32 of files, by their names."""
    return {file.name: [file.stat().st_size, _checksum(file)] for file in files}


def folder_of(path: Path, content: Mapping[str, Any]) -> Path:
    """The folder with the parts of a checkpoint.

    Args:
        path: Path of the checkpoint.
        content: What it holds.
    """
    return path.parent / PARTS / Path(str(content[KEY]["folder"])).name


def damage_in(path: Path, content: Mapping[str, Any]) -> str | None:
    """What is wrong with the parts of a checkpoint, as a sentence; None if nothing is.

    Args:
        path: Path of the checkpoint.
        content: What it holds.
    """
    if KEY not in content:
        return None
    folder = folder_of(path, content)
    for name, (size, checksum) in content[KEY]["files"].items():
        file = folder / Path(name).name
        if not file.is_file():
            return f"The checkpoint {path} is damaged ({file} is missing)."
        if file.stat().st_size != size or _checksum(file) != checksum:
            return f"The checkpoint {path} is damaged (checksum of {file})."
    return None


def remove_all_but(folder: Path, used: Iterable[Mapping[str, Any]]) -> None:
    """Remove the parts that none of some checkpoints lists.

    Args:
        folder: Folder of the checkpoints.
        used: What each of the checkpoints holds.
    """
    names = {content[KEY]["folder"] for content in used if KEY in content}
    for old in (folder / PARTS).glob("*"):
        if old.name not in names:
            shutil.rmtree(old, ignore_errors=True)


def _checksum(file: Path) -> int:
    found = 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            found = zlib.crc32(chunk, found)
    return found
