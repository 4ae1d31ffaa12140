"""Store labels of each kind in a column of a shard, and read them back.

One class per image is a number or a word; several classes are a list of numbers; values are a list of floats,
or one float. The names are stored as Hugging Face's datasets store those of `ClassLabel`; names of values,
for which they have no place, in the metadata of imagelab.
"""

import json
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from imagelab.data.labels import kind_of
from imagelab.problem import Problem

HUGGING_FACE, OWN = b"huggingface", b"imagelab"
VALUE_NAMES = "values"  # in imagelab's metadata
STORED = {"class": "<i8", "multilabel": "u1", "values": "<f4"}
Feature = dict[str, Any]


def column_type(labels: np.ndarray) -> pa.DataType:
    """The type of the column that holds these labels."""
    kinds = {"class": pa.int64(), "multilabel": pa.list_(pa.int64()), "values": pa.list_(pa.float32())}
    return kinds[kind_of(labels)]


def column(labels: np.ndarray) -> pa.Array:
    """Labels (N,) int64, (N, K) bool or (N, V) float32 as a column of N rows.

    >>> column(np.array([[True, False, True], [False, False, False]])).to_pylist()
    [[0, 2], []]
    """
    rows = [np.flatnonzero(row) for row in labels] if labels.dtype.kind == "b" else list(labels)
    return pa.array(labels if labels.ndim == 1 else rows, column_type(labels))


def feature(labels: np.ndarray, names: list[str]) -> Feature:
    """What Hugging Face's datasets want to know of the column."""
    classes = {"names": names, "_type": "ClassLabel"}
    value = {"dtype": "float32", "_type": "Value"}
    kinds = {"class": classes, "multilabel": classes, "values": value}
    one = kinds[kind_of(labels)]
    return one if labels.ndim == 1 else {"feature": one, "_type": "Sequence"}


def own_facts(labels: np.ndarray, names: list[str]) -> Feature:
    """The names of values, for imagelab's own metadata."""
    return {VALUE_NAMES: names} if kind_of(labels) == "values" else {}


def checksum(labels: np.ndarray) -> int:
    """The CRC-32 of labels, independent of the machine; words are stored without one."""
    return crc32(np.ascontiguousarray(labels.astype(STORED[kind_of(labels)])).data)


def names_in(schema: pa.Schema, label: str | None) -> list[str] | None:
    """The names of classes or values that a file says; None: it says none."""
    if label is None:
        return None
    said = schema.metadata or {}
    own = json.loads(said[OWN]) if OWN in said else {}
    if VALUE_NAMES in own:
        return [str(name) for name in own[VALUE_NAMES]]
    features = json.loads(said[HUGGING_FACE])["info"]["features"] if HUGGING_FACE in said else {}
    found = features.get(label) or {}
    found = found.get("feature") or found
    return [str(name) for name in found["names"]] if "names" in found else None


def is_label(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold labels."""
    item = kind.value_type if pa.types.is_list(kind) else kind
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return text or pa.types.is_integer(item) or pa.types.is_floating(item)


def read(path: object, labels: pa.Array, names: list[str] | None) -> np.ndarray:
    """The labels of a column: (N,) numbers or words, (N, K) bool, or (N, V) float32.

    Raises:
        Problem: Classes have no names, or rows have different numbers of values.
    """
    if not pa.types.is_list(labels.type):
        found = np.array(labels.to_numpy(zero_copy_only=False))
        return found.astype(np.float32)[:, None] if found.dtype.kind == "f" else found
    values = labels.flatten().to_numpy(zero_copy_only=False)
    lengths = labels.value_lengths().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(labels.type.value_type):
        if len(np.unique(lengths)) > 1:
            raise Problem(f"{path}: rows have {lengths.min()} to {lengths.max()} values; give each the same")
        return values.astype(np.float32).reshape(len(labels), -1)
    if not names:
        raise Problem(f"{path}: lists of classes need the names of the classes in the file's metadata")
    if values.size and not 0 <= values.min() <= values.max() < len(names):
        raise Problem(
            f"{path} has a label beyond its {len(names)} classes; leave that file out, or correct it"
        )
    found = np.zeros((len(labels), len(names)), dtype=np.bool_)
    found[np.repeat(np.arange(len(labels)), lengths), values] = True
    return found
