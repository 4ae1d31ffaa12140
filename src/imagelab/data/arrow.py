"""Read a data set from Arrow or Parquet files, such as those of `pack`, or from the Hugging Face hub."""

import hashlib
import logging
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from imagelab.data.array_record import read_arrays, write_arrays
from imagelab.data.cache import cache_folder
from imagelab.data.content import digest
from imagelab.data.decode import Unreadable, Verified, decode_bytes
from imagelab.data.packed import Packed
from imagelab.data.parallel import map_in_threads
from imagelab.data.scan import Scan, refuse_or_skip
from imagelab.data.shard_numbers import label_numbers
from imagelab.data.shards import Shard, locate
from imagelab.data.tree import tree
from imagelab.problem import Problem, first_line, some_of

logger = logging.getLogger(__name__)

ENDINGS = (".arrow", ".parquet")
SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "eval": "test",
} | dict.fromkeys(("val", "valid", "validation", "dev"), "val")
ON_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
CONVERTED = "refs/convert/parquet"  # the hub's own copy of data sets that are in other formats


class Arrow:
    """Pictures in columns of Arrow or Parquet files; no code of the data set is run.

    Args:
        root: Folder with such files, or one of them, or the name of a data set on the Hugging Face hub. The
            split is in the name of a file or of a folder: train, val or validation, test; otherwise train.
        subset: Folder below `root` to read, where each holds a data set of its own; None: all.
        image: Column with the images, encoded.
        label: Column with the labels: a class, as a number or a word; a list of classes; a value, or several.
        on_bad_image: What to do about unreadable pictures: list them all, then stop ("error") or leave them
            out ("skip").
        labelled: Whether labels are needed, of at least two classes; otherwise the column is not read.
        max_pixels: Largest number of pixels of a picture; a larger one counts as unreadable.
    """

    def __init__(
        self,
        *,
        root: str,
        subset: str | None,
        image: str,
        label: str,
        on_bad_image: Literal["error", "skip"],
        labelled: bool,
        max_pixels: int,
    ) -> None:
        top = Path(root).expanduser()
        top = top.absolute() if top.exists() else from_hub(root)
        shards = [
            Shard(split, path, *locate(path, image, label if labelled else None, _cached(path, image, label)))
            for split, path in find_files(top, subset)
        ]
        self.classes, labels = label_numbers(shards, labelled)
        self.splits: Mapping[str, Packed] = _packed(str(top), shards, labels, on_bad_image, max_pixels)


def find_files(top: Path, subset: str | None) -> list[tuple[str, Path]]:
    """The split and the path of each Arrow or Parquet file, sorted by name.

    Raises:
        Problem: There are none, or those of several data sets.
    """
    base = top / subset if subset else top
    below: list[str] = [str(base)] if base.is_file() else []
    if base.is_dir():
        below = tree(str(base)).files
    named = [Path(path) for path in sorted(below) if path.endswith(ENDINGS) and Path(path).is_file()]
    paths = [
        path for path in named if not path.name.startswith("cache-")
    ]  # what Hugging Face datasets leaves
    if not paths:
        raise Problem(f"data.root={top}: there is no Arrow or Parquet file in {base}")
    found = [(split_of(path.relative_to(base) if path != base else Path(path.name)), path) for path in paths]
    homes = {
        path.parent
        for _, path in found
        if path.parent != base and split_of(Path(path.parent.name)) == "train"
    }
    homes = {home for home in homes if home.name.lower() not in (*SPLITS, "data")}
    if len(homes) > 1:
        names = some_of(sorted(str(home.relative_to(base)) for home in homes))
        raise Problem(f"data.root={top} holds several data sets: say data.subset=FOLDER, one of {names}")
    if not any(split == "train" for split, _ in found):
        raise Problem(
            f"{base} has no file for train, only for {some_of(sorted({split for split, _ in found}))}"
        )
    return found


def split_of(path: Path) -> str:
    """The split that a file is of, by the words of its name, then of its folders.

    >>> split_of(Path("data/validation-00000-of-00001.parquet")), split_of(Path("test/0000.parquet"))
    ('val', 'test')
    """
    for part in reversed(path.parts):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SPLITS:
                return SPLITS[word]
    return "train"


def from_hub(name: str) -> Path:
    """Download the Parquet and Arrow files of a data set, once -> the folder they are in.

    Raises:
        Problem: There is no such data set, or the hub cannot be reached.
    """
    if not ON_HUB.fullmatch(name):
        raise Problem(
            f"data.root={name} does not exist, and is not a name on the Hugging Face hub, such as user/cats"
        )
    from huggingface_hub import snapshot_download

    patterns = [f"*{ending}" for ending in ENDINGS]
    download = partial(snapshot_download, name, repo_type="dataset", allow_patterns=patterns)
    try:
        folder = Path(download())
        if not any(path.endswith(ENDINGS) for path in tree(str(folder)).files):
            folder = Path(download(revision=CONVERTED))
    except Exception as error:  # of the hub's client, of its transport, of the disk
        raise Problem(
            f"data.root={name}: there is no such folder, and the Hugging Face hub did not give it: "
            f"{first_line(error)}"
        ) from error
    return folder


def _cached(path: Path, image: str, label: str) -> Path:
    found = path.stat()
    facts = repr((str(path), found.st_size, found.st_mtime_ns, image, label)).encode(errors="replace")
    return cache_folder("arrow") / f"{hashlib.blake2b(facts, digest_size=16).hexdigest()}.arrow"


def _packed(
    origin: str,
    shards: list[Shard],
    labels: list[np.ndarray],
    on_bad_image: Literal["error", "skip"],
    max_pixels: int,
) -> dict[str, Packed]:
    """The readable pictures by split."""
    found = [shard.found for shard in shards]
    parts = [
        np.stack([np.full(len(one.offsets), place), one.offsets, one.lengths, one.checks], axis=1)
        for place, one in enumerate(found)
    ]
    table = np.concatenate(parts)
    unknown = np.zeros((len(table), 2), np.int32)
    whole = Packed([str(shard.file) for shard in shards], table, np.concatenate(labels), unknown, max_pixels)
    seen = _scan(whole, origin)
    refuse_or_skip(seen, len(table), on_bad_image)
    whole = Packed(whole.shards, table, whole.labels, seen.sizes, max_pixels, seen.contents)
    splits = np.array([shard.split for shard in shards])[table[:, 0]]
    named = {str(split): np.flatnonzero((splits == split) & seen.readable) for split in np.unique(splits)}
    return {split: whole.select(mine) for split, mine in named.items()}


def _scan(images: Packed, origin: str) -> Scan:
    """Decode every picture once, and remember its size and content until a shard changes."""
    record = cache_folder("scan") / f"{images.key(images.max_pixels)}.arrays"
    known = read_arrays(record)
    stamps = np.zeros((0, 2), np.int64)
    if known is not None and "contents" in known[1]:
        return Scan(known[1]["sizes"], stamps, known[1]["contents"], known[0]["faults"], record)
    logger.info("checking %d pictures of %s, once", len(images), origin)

    def look(place: int) -> Verified | str:
        name = images.name(place)
        try:
            data = images.encoded(place)
            return Verified(*decode_bytes(data, name, 1, images.max_pixels)[1], digest(data))
        except Unreadable as error:
            return str(error).removeprefix(f"{name}: ")

    faults = dict[str, str]()
    sizes = np.zeros((len(images), 2), np.int32)
    contents = np.zeros(len(images), np.uint64)
    for place, result in enumerate(map_in_threads(look, range(len(images)))):
        if isinstance(result, str):
            faults[images.name(place)] = result
        else:
            *sizes[place], contents[place] = result
    try:
        write_arrays(record, {"faults": faults}, sizes=sizes, contents=contents)
    except Problem as problem:
        logger.warning("the pictures will be checked again next time: %s", problem)
    return Scan(sizes, stamps, contents, faults, record)
