"""Keep facts and arrays in one cached file that is read whole, or taken for damaged."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.data.cache import intact, write_atomically


def write_arrays(path: Path, facts: dict[str, Any], **arrays: np.ndarray) -> None:
    """Write facts and arrays, completely or not at all.

    Raises:
        Problem: The folder is not writable, or the disk is full.
    """
    head = json.dumps(facts | {"arrays": list(arrays)}).encode()
    size = len(head) + sum(array.nbytes for array in arrays.values())
    with write_atomically(path, size) as file:
        for array in (np.frombuffer(head, np.uint8), *arrays.values()):
            header = BytesIO()
            np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
            file.write(header.getvalue())
            file.write(np.ascontiguousarray(array).tobytes())


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Read what `write_arrays` wrote; None if the file is missing or damaged."""
    if not intact(path):
        return None
    with path.open("rb") as file:
        head = json.loads(np.lib.format.read_array(file, allow_pickle=False).tobytes())
        arrays = {name: np.lib.format.read_array(file, allow_pickle=False) for name in head.pop("arrays")}
    return head, arrays
