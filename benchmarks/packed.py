# room: data/arrow
"""Measure one pass in random order over many small photos: one file each, against a few packed files.

python benchmarks/packed.py
"""

import argparse
import io
import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from many_runs import machine
from PIL import Image
from ratios import Figure, flag, settle

from imagelab.contracts import Photos
from imagelab.data.arrow import Arrow
from imagelab.data.folder import Folder
from imagelab.pack import pack_split

CLASSES = 100
KINDS = 500  # different contents
DROP = Path("/proc/sys/vm/drop_caches")
QUEUE = Path("/proc/thread-self/schedstat")
TABLE: dict[str, Any] = {
    "manifest": None,
    "columns": None,
    "delimiter": "auto",
    "label": "label",
    "group": None,
    "takes": "class",
    "signals": ["image"],
}
KNOBS: dict[str, Any] = {"on_bad_image": "error", "max_pixels": 50_000_000}
PROMISE = 3.0  # times as fast, where the cache of the operating system is empty


def main() -> int:
    """Print a table; 1 where packed files are slower than promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None, help="where files are made; default: a new one")
    flag(parser)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        top = Path(name)
        os.environ["IMAGELAB_CACHE"] = f"{top}/cache"
        files = make(top / "files", told.count)
        source = Folder(root=str(files), **TABLE, **KNOBS)
        pack_split(top / "packed", "train", source.splits["train"], source.classes, 256_000_000)
        columns = {"labelled": True, "subset": None, "image": "image", "label": "label"}
        packed = Arrow(root=str(top / "packed"), **columns, **KNOBS)
        sides = {"a file each": source.splits["train"], "packed": packed.splits["train"]}
        cold = drop_caches()
        seconds = {name: one_pass(images) for name, images in sides.items()}
    print(f"{machine()}, {date.today()}: `python {' '.join(sys.argv)}`\n")
    state = "emptied before each pass" if cold else "full: it may not be emptied here"
    print(
        f"{told.count:,} JPEG files of 128 x 128 pixels, one process; `s` leaves out the time in which other"
    )
    print(f"processes had the core. The cache of the operating system was {state}.\n")
    print("| images | s | CPU s | times as fast |\n|---|---|---|---|")
    for name, (wall, cpu) in seconds.items():
        print(f"| {name} | {wall:.4f} | {cpu:.4f} | {seconds['a file each'][0] / wall:.1f} |")
    if not cold:
        return 0
    ratio = seconds["a file each"][0] / seconds["packed"][0]
    return settle("packed", [Figure("one pass", [ratio], "higher")], record=told.record) or ratio < PROMISE


def one_pass(images: Photos) -> tuple[float, float]:
    """Seconds, and CPU seconds, to decode all images in random order, from an empty cache if allowed."""
    drop_caches()
    waited = waiting()
    order = np.random.default_rng(0).permutation(len(images))
    began, before = time.perf_counter(), time.process_time()
    for place in order.tolist():
        images.photo(place, 128)
    return time.perf_counter() - began - (waiting() - waited), time.process_time() - before


def waiting() -> float:
    """Seconds in which this thread could have run, but others had the core; 0 where nobody counts."""
    return int(QUEUE.read_text().split()[1]) / 1e9 if QUEUE.exists() else 0.0


def drop_caches() -> bool:
    """Empty the cache of the operating system; False where only an administrator may."""
    os.sync()
    try:
        DROP.write_text("3")
    except OSError:
        return False
    return True


def make(root: Path, count: int) -> Path:
    """A folder of so many JPEG files in 100 classes, written in random order."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(min(count, KINDS)):
        file = io.BytesIO()
        coarse = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(8, 0).repeat(8, 1)).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    for label in range(CLASSES):
        (root / f"class_{label:03}").mkdir(parents=True)
    for number in rng.permutation(count).tolist():
        path = root / f"class_{number % CLASSES:03}" / f"image_{number:07}.jpg"
        path.write_bytes(contents[number % len(contents)])
    return root


if __name__ == "__main__":
    sys.exit(main())
