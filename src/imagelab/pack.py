"""Run the command `pack`: write a data set into a few files that are read faster than one file per image.

imagelab pack data=folder data.root=photos output=packed
imagelab train data=arrow data.root=packed

Labels are those that the task takes: task=multilabel packs several classes per image, task=regress values.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagelab import launch
from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.contracts import Images
from imagelab.data.labels import kind_of  # room: detection
from imagelab.problem import Problem
from imagelab.terminal import screen

LATER = ("limit", "classes", "decisions", "folds")  # what chooses images, when a packed set is trained on


@dataclass(frozen=True, kw_only=True)
class Pack(schema.Run):
    """The root keys of configs/pack.yaml."""

    output: str | None
    shard_size: float


def main() -> None:
    """Pack a data set."""
    launch.run_hydra(start, "pack", Pack)


def start(cfg: Node, folder: Path) -> None:
    """Write the splits of a data set as shards into the output folder."""
    from imagelab.config.make import make

    own, knobs = schema.split("data", cfg["data"])
    if chosen := [key for key in LATER if knobs[key] is not None]:
        raise Problem(
            f"data.{chosen[0]}: pack writes the whole data set; leave it out here, and say it to train"
        )
    if "group" in own and (own["group"] is not None or "group" in (own["columns"] or {})):
        raise Problem(
            "data.group: packed images have no groups; leave it out, or put a column split into the table"
        )
    output = Path(cfg["output"]).expanduser() if cfg["output"] else folder
    if cfg["output"]:
        with suppress(OSError):  # another command's files are in it
            folder.rmdir()
            folder.parent.rmdir()
    if output.exists() and any(output.iterdir()) and output != folder:
        raise Problem(f"output={output}: the folder is not empty; name a new one")
    if "signals" in own and own["signals"] != ["image"]:
        raise Problem("data.signals: pack writes images and labels only; leave it out")
    takes = says(cfg["task"]).takes or "class"
    source = make(own, seed=cfg["seed"], labelled=True, takes=takes, max_pixels=knobs["max_pixels"])
    for split, images in source.splits.items():
        if kind_of(images.labels) == "boxes":  # room: detection
            raise Problem("imagelab pack: boxes cannot be packed; train on the folder itself")
        count = pack_split(output, split, images, list(source.classes), int(cfg["shard_size"] * 1e6))
        screen.say(f"{split}: {len(images):,} images in {count} file{'s' * (count > 1)}")
    task = "" if takes == "class" else f" task={task_name(cfg)}"
    screen.say(f"train   imagelab train{task} data=arrow data.root={output}")


def pack_split(folder: Path, split: str, images: Images, classes: list[str], room: int) -> int:
    """Write the shards of a split, each of about `room` bytes -> their number.

    Raises:
        Problem: A file cannot be written, or pyarrow is not installed.
    """
    try:
        from imagelab.data.shards import write_shard
    except ModuleNotFoundError as error:
        raise Problem("pack needs the package pyarrow: pip install 'imagelab[arrow]'") from error
    shares = _shares(images, room)
    for number, places in enumerate(shares):
        name = f"{split}-{number:05}-of-{len(shares):05}.arrow"
        write_shard(folder / name, _encoded(images, places), images.labels[places], classes)
    return len(shares)


def _shares(images: Images, room: int) -> list[np.ndarray]:
    """The places of each shard, the same number in each: by the size of some images."""
    some = np.unique(np.linspace(0, len(images) - 1, 200).round().astype(np.int64))
    size = sum(len(data) for data, _ in _encoded(images, some)) / len(some)
    return np.array_split(np.arange(len(images)), max(1, round(size * len(images) / room)))


def _encoded(images: Images, places: np.ndarray) -> Iterator[tuple[bytes, str]]:
    """The bytes of each image's file as it is, or as PNG of its pixels; and its name."""
    from imagelab.data.arrays import Arrays
    from imagelab.data.decode import read_file
    from imagelab.data.files import Files
    from imagelab.data.packed import Packed

    for place in places.tolist():
        if isinstance(images, Files):
            path = images.paths[place]
            yield read_file(path), path.removeprefix(images.paths.folder)
        elif isinstance(images, Packed):
            yield images.encoded(place), ""
        elif isinstance(images, Arrays):
            yield _png(images.images[place].permute(1, 2, 0).numpy()), ""
        else:
            yield _png(images.photo(place, None)), ""  # type: ignore[attr-defined]


def _png(pixels: np.ndarray) -> bytes:
    """(H, W, 1 or 3) uint8 -> a PNG file."""
    import cv2

    image = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.shape[2] == 3 else pixels
    return cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes()


if __name__ == "__main__":
    main()
