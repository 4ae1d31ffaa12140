"""Hold the features of pictures; write them as Parquet and read them back.

Source: https://parquet.apache.org/docs/file-format
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import nn

from imagelab.data.decode import Unreadable
from imagelab.predictor import Predictor, batch_of
from imagelab.problem import Problem

ABOUT = b"imagelab"  # key of what the table's schema says of the network


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Features of N pictures.

    Args:
        files: Path of each picture, N.
        features: (N, F) float32.
        predicted: What the network predicts, in words, N.
        network: Checksum of the weights of the network: features of another one cannot be compared.
    """

    files: list[str]
    features: np.ndarray
    predicted: list[str]
    network: int

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def folders(self) -> np.ndarray:
        """The name of the folder of each picture, (N,) str: its class, where folders are classes."""
        return np.array([Path(file).parent.name for file in self.files])


def embed(
    predictor: Predictor, paths: Sequence[Path], batch_size: int
) -> tuple[Embedded, list[tuple[Path, str]]]:
    """Compute the features of picture files; return also the unreadable files, and why.

    Args:
        predictor: Trained network.
        paths: Picture files.
        batch_size: Pictures per forward pass.
    """
    good: list[Path] = []
    unreadable: list[tuple[Path, str]] = []
    made, predicted = [], []
    for some in (paths[k : k + batch_size] for k in range(0, len(paths), batch_size)):
        pixels = []
        for path, one in zip(some, predictor.read(some), strict=True):
            if isinstance(one, Unreadable):
                unreadable.append((path, str(one).removeprefix(f"{path}: ")))
            else:
                good.append(path)
                pixels.append(one)
        if pixels:
            predictions, features = predictor.with_features(batch_of(pixels))
            made.append(features)
            predicted += [predictor.task.summary(one)[0] for one in torch.from_numpy(predictions)]
    features = np.concatenate(made) if made else np.empty((0, 0), np.float32)
    network = checksum(predictor.net)
    return Embedded(
        files=[str(path) for path in good], features=features, predicted=predicted, network=network
    ), unreadable


def checksum(net: nn.Module) -> int:
    """A CRC-32 of all weights and buffers."""
    found = 0
    for value in net.state_dict().values():
        found = crc32(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data, found)
    return found


def write_table(path: Path, embedded: Embedded) -> None:
    """Write the columns file, predicted and features: F numbers per picture.

    Raises:
        Problem: pyarrow is missing, or the file cannot be written.
    """
    pa, pq = _pyarrow()
    count, width = embedded.features.shape
    flat = pa.array(embedded.features.reshape(-1))
    columns = {
        "file": pa.array([file.encode(errors="surrogateescape") for file in embedded.files], pa.binary()),
        "predicted": pa.array(embedded.predicted, pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(flat, width) if count else pa.array([], pa.null()),
    }
    columns["file"] = _text(pa, columns["file"])
    table = pa.table(columns).replace_schema_metadata({ABOUT: json.dumps({"network": embedded.network})})
    try:
        pq.write_table(table, path)
    except OSError as error:
        raise Problem(f"output: {path} cannot be written: {error.strerror or error}") from error


def _text(pa: Any, names: Any) -> Any:
    """Names of files as text; as bytes where one is no text."""
    try:
        return names.cast(pa.string())
    except pa.ArrowInvalid:
        return names


def read_table(path: Path) -> Embedded:
    """Read a table that `write_table` wrote.

    Raises:
        Problem: pyarrow is missing, or the file is not such a table.
    """
    pa, pq = _pyarrow()
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[ABOUT])
        features = table["features"].combine_chunks()
        width = features.type.list_size
        numbers = features.flatten().to_numpy().reshape(-1, width).astype(np.float32)
        names = table["file"].to_pylist()
        predicted = table["predicted"].to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError, AttributeError) as error:
        raise Problem(f"source={path}: wants a table that imagelab embed wrote, got another file") from error
    files = [name if isinstance(name, str) else name.decode(errors="surrogateescape") for name in names]
    return Embedded(files=files, features=numbers, predicted=predicted, network=about["network"])


def read_table_of(predictor: Predictor, path: Path, key: str) -> Embedded:
    """Read a table whose features this network computed.

    Args:
        predictor: Network that made the features.
        path: Table that `write_table` wrote.
        key: Config key that named it, for the message.

    Raises:
        Problem: As in `read_table`, or its features come from a different network.
    """
    embedded = read_table(path)
    if embedded.network != checksum(predictor.net):
        raise Problem(
            f"{key}={path}: its features come from a different network; set run to the one that made "
            f"them, or make them again: imagelab embed run=... source=PICTURES"
        )
    return embedded


def _pyarrow() -> tuple[Any, Any]:
    if find_spec("pyarrow") is None:
        raise Problem("embed: needs pyarrow, which is not installed: uv pip install 'imagelab[embed]'")
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa, pq
