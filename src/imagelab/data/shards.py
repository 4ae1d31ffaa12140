"""Write shards, Arrow files of encoded images and labels, and find where in a file each image lies.

Source: the Arrow columnar format, https://arrow.apache.org/docs/format/Columnar.html. Images are stored as by
`datasets.Image`, the names of classes as by `datasets.ClassLabel`: Hugging Face's datasets read shards, too.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from imagelab.data import shard_labels
from imagelab.data.shard_labels import HUGGING_FACE, OWN
from imagelab.problem import Problem, nearest, some_of

IMAGE, LABEL, CHECK = "image", "label", "crc32"
LABELS_CHECK = "labels_crc32"  # in the metadata of a shard
ROWS = 256  # images per record batch
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class Located(NamedTuple):
    """Where the N images of a file lie.

    offsets, lengths: (N,) int64, in bytes. checks: (N,) int64, CRC-32 of each image; -1 where there is none.
    labels: (N,) int64 or str, (N, K) bool or (N, V) float32. names: Names of classes or values, if the file
    says them.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    checks: np.ndarray
    labels: np.ndarray
    names: list[str] | None


class Shard(NamedTuple):
    """A file of a data set. file: Where its images are read in place."""

    split: str
    path: Path
    file: Path
    found: Located


def write_shard(
    path: Path, images: Iterable[tuple[bytes, str]], labels: np.ndarray, classes: list[str]
) -> None:
    """Write a shard, completely or not at all, with a checksum of each image and one of all labels.

    Args:
        path: File to write.
        images: Encoded images, and their names.
        labels: Labels as in `contracts.Images`: (N,) int64, (N, K) bool or (N, V) float32.
        classes: Names of the classes or values.

    Raises:
        Problem: The folder is not writable, or the disk is full.
    """
    features = {IMAGE: {"_type": "Image"}, LABEL: shard_labels.feature(labels, classes)}
    features |= {CHECK: {"dtype": "int64", "_type": "Value"}}
    said = {HUGGING_FACE: json.dumps({"info": {"features": features}})}
    facts = {LABELS_CHECK: shard_labels.checksum(labels)} | shard_labels.own_facts(labels, classes)
    said |= {OWN: json.dumps(facts)}

    def batches() -> Iterator[tuple[Sequence[bytes], Sequence[str], pa.Array]]:
        waiting = iter(images)
        first = 0
        while some := list(islice(waiting, ROWS)):
            part = shard_labels.column(labels[first : first + len(some)])
            yield [image for image, _ in some], [name for _, name in some], part
            first += len(some)

    _write(path, batches(), shard_labels.column_type(labels), said)


def locate(path: Path, image: str, label: str | None, cache: Path) -> tuple[Path, Located]:
    """Find the images of an Arrow or Parquet file, and the file in which they can be read in place.

    Args:
        path: File to read.
        image: Column with the images.
        label: Column with the labels; None: all labels are 0.
        cache: Arrow file to write if images cannot be read from `path` in place, as from Parquet.

    Raises:
        Problem: The file is damaged, or has no such columns.
    """
    try:
        if path.suffix == ".arrow" and (found := _located(path, image, label)) is not None:
            return path, found
        if cache.exists() and (found := _located(cache, image, label)) is not None:
            return cache, found
        _convert(path, image, label, cache)
        found = _located(cache, image, label)
        assert found is not None
        return cache, found
    except (pa.ArrowException, OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Problem(
            f"{path} is damaged, or no Arrow or Parquet file: {str(error).splitlines()[0]}"
        ) from error


def _located(path: Path, image: str, label: str | None) -> Located | None:
    """None: the images are compressed once more, so that they cannot be read in place."""
    with pa.memory_map(str(path)) as file:
        whole = file.read_buffer()
        schema, batches = _opened(whole)
        _refuse_columns(path, schema, image, label)
        names = shard_labels.names_in(schema, label)
        parts = [_in_batch(path, batch, whole, image, label, names) for batch in batches]
        if any(part is None for part in parts):
            return None
        empty = np.zeros(0, np.int64)
        columns = zip(*[part for part in parts if part is not None], strict=True) if parts else [(empty,)] * 4
        found = Located(*(np.concatenate(column) for column in columns), names=names)
        if label:
            _refuse_damaged_labels(path, schema, found)
        return found


def _opened(whole: pa.Buffer) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    if whole.slice(0, 6).to_pybytes() == b"ARROW1":
        reader = pa.ipc.open_file(whole)
        return reader.schema, [reader.get_batch(k) for k in range(reader.num_record_batches)]
    stream = pa.ipc.open_stream(whole)
    return stream.schema, list(stream)


def _in_batch(
    path: Path, batch: Any, whole: Any, image: str, label: str | None, names: list[str] | None
) -> tuple[Any, ...] | None:
    """Offsets, lengths, checks and labels of a batch."""
    count = batch.num_rows
    images = batch.column(image)
    images = images.field("bytes") if pa.types.is_struct(images.type) else images
    labels = batch.column(label) if label else None
    if images.null_count or (labels is not None and labels.null_count):
        raise Problem(f"{path} has rows without an image or without a label; remove them")
    _, ends, content = images.buffers()
    wide = pa.types.is_large_binary(images.type)
    ends = np.frombuffer(ends, np.int64 if wide else np.int32)[images.offset :][: count + 1].astype(np.int64)
    start = content.address - whole.address if content is not None and content.size else 0
    if not 0 <= start <= start + int(ends[-1]) <= whole.size:
        return None
    own = CHECK in batch.schema.names
    checks = batch.column(CHECK).to_numpy() if own else np.full(count, -1)
    numbers = np.zeros(count, np.int64) if labels is None else shard_labels.read(path, labels, names)
    return ends[:-1] + start, np.diff(ends), checks.copy(), numbers


def _refuse_columns(path: Path, schema: pa.Schema, image: str, label: str | None) -> None:
    for key, name in (("image", image), ("label", label)):
        if name and name not in schema.names:
            raise Problem(
                f"data.{key}={name}: {path} has no such column, only {some_of(schema.names)}"
                f"{nearest(name, schema.names)}"
            )
    kind = schema.field(image).type
    bytes_in = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    if not (bytes_in or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise Problem(f"data.image={image}: that column of {path} holds {kind}, not encoded images")
    if label and not shard_labels.is_label(schema.field(label).type):
        raise Problem(
            f"data.label={label}: that column of {path} holds {schema.field(label).type}, "
            "neither classes nor values"
        )


def _refuse_damaged_labels(path: Path, schema: pa.Schema, found: Located) -> None:
    said = (schema.metadata or {}).get(OWN)
    if said and json.loads(said)[LABELS_CHECK] != shard_labels.checksum(found.labels):
        raise Problem(f"{path} is damaged: its labels have changed since it was packed; pack it again")


def _convert(path: Path, image: str, label: str | None, cache: Path) -> None:
    """Write the images of a Parquet file, or of compressed Arrow, so that they can be read in place."""
    columns = [image, *([label] if label else [])]
    parquet = pq.ParquetFile(path) if path.suffix != ".arrow" else None
    schema, stored = (parquet.schema_arrow, []) if parquet else _opened(pa.py_buffer(path.read_bytes()))
    _refuse_columns(path, schema, image, label)
    source = parquet.iter_batches(batch_size=ROWS, columns=columns) if parquet else stored

    def batches() -> Iterator[tuple[Sequence[bytes], Sequence[str], Any]]:
        for batch in source:
            images = batch.column(image)
            images = images.field("bytes") if pa.types.is_struct(images.type) else images
            labels = batch.column(label) if label else pa.array(np.zeros(batch.num_rows, np.int64))
            if images.null_count or labels.null_count:
                raise Problem(f"{path} has rows without an image or without a label; remove them")
            yield images.to_pylist(), [""] * batch.num_rows, labels

    kept = {key: value for key, value in (schema.metadata or {}).items() if key in (HUGGING_FACE, OWN)}
    kind = schema.field(label).type if label else pa.int64()
    _write(cache, batches(), kind, kept, names=(image, label or LABEL))


def _write(
    path: Path,
    batches: Iterable[tuple[Sequence[bytes], Sequence[str], Any]],
    label_type: pa.DataType,
    said: dict[bytes, Any],
    names: tuple[str, str] = (IMAGE, LABEL),
) -> None:
    schema = pa.schema([(names[0], STORED), (names[1], label_type), (CHECK, pa.int64())], said)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            with pa.ipc.new_file(file, schema) as writer:
                for images, files, labels in batches:
                    column = pa.array(
                        [{"bytes": i, "path": f} for i, f in zip(images, files, strict=True)], STORED
                    )
                    checks = pa.array([crc32(one) for one in images], pa.int64())
                    writer.write_batch(pa.record_batch([column, labels, checks], schema))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
