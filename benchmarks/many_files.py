"""Measure what the number of files costs: processor time of a run of five steps, and memory in each worker.

python benchmarks/many_files.py
python benchmarks/many_files.py --counts 1000 10000
"""

import argparse
import io
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from many_runs import machine
from PIL import Image
from ratios import Figure, flag, settle

from imagelab.data.decode import decode, verify
from imagelab.data.folder import Folder

CLASSES = 100
SIDE = 32
DECODED = 2000  # files by which decoding is timed
LEAST = 1000  # files: what a run with so many costs is subtracted
SURE = 50_000  # files: with fewer, two runs differ by more than the files cost
STEPS = [f"+trainer.limit_{part}_batches=5" for part in ("train", "val", "test")]
ONE_EPOCH = ["trainer=cpu", "trainer.max_epochs=1", *STEPS]
# Promised: us per file once seen, us at first besides decoding, bytes per image.
MOST_AFTER, MOST_FIRST, MOST_MEMORY = 10.0, 60.0, 200.0
COLUMNS = (
    *("files", "first run, CPU s", "decoding, CPU s", "again, CPU s"),
    *("us per file at first", "us per file again", "bytes per image in a worker"),
)


def main() -> int:
    """Print a table; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=None, help="where files are made; default: a new one")
    flag(parser)
    told = parser.parse_args()
    print(f"{machine()}, {date.today()}: `python {' '.join(sys.argv)}`\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    kept, figures = True, list[Figure]()
    with tempfile.TemporaryDirectory(dir=told.folder) as top:
        os.environ["IMAGELAB_CACHE"] = f"{top}/cache"
        base = min(measured(Path(top), LEAST)[2] for _ in range(2))
        for count in told.counts:
            first, decode_all, again, held = measured(Path(top), count)
            at_first, later = ((seconds - base) / count * 1e6 for seconds in (first - decode_all, again))
            numbers = (f"{number:.1f}" for number in (first, decode_all, again, at_first, later))
            print(f"| {' | '.join([f'{count:,}', *numbers, f'{held:.0f}'])} |", flush=True)
            in_time = count < SURE or (later <= MOST_AFTER and at_first <= MOST_FIRST)
            kept &= in_time and held <= MOST_MEMORY
            figures += [
                Figure(f"{count:,} files, {when}", [value], "lower", unit)
                for when, value, unit in (
                    ("first", at_first, "us per file"),
                    ("again", later, "us per file"),
                    ("in a worker", held, "bytes per image"),
                )
            ]
    print(f"\n{LEAST:,} files, seen before: {base:.1f} CPU s. `us per file` leaves it out, and decoding.")
    return settle("many_files", figures, record=told.record) or not kept


def measured(top: Path, count: int) -> tuple[float, float, float, float]:
    """CPU s of the first run, of decoding all files, of the next run; bytes per image in a worker."""
    root = make(top / str(count), count)
    time.sleep(0 if (top / "cache" / "index").exists() else 2.1)  # what has just changed is not remembered
    words = [*ONE_EPOCH, "data=folder", f"data.root={root}"]
    first = cpu_of(words, top)
    return first, decoding(root) * count, cpu_of(words, top), memory(root)


def cpu_of(words: list[str], folder: Path) -> float:
    """CPU s from the command to its end, its workers included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "imagelab.train", *words]
    told = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=told)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make(root: Path, count: int) -> Path:
    """A folder of so many JPEG files in 100 classes, which all differ: copies would all lie in one split."""
    if root.exists():
        return root
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    data = file.getvalue()
    for number in range(count):
        folder = root / f"class_{number % CLASSES:03}"
        folder.mkdir(parents=True, exist_ok=True) if number < CLASSES else None
        (folder / f"image_{number:07}.jpg").write_bytes(data + number.to_bytes(4, "big"))
    return root


def decoding(root: Path) -> float:
    """CPU s to decode one file as a first run does: once to check it, once to keep it in memory."""
    some = sorted(root.glob("class_00*/*"))[:DECODED]
    began = time.process_time()
    for path in some:
        verify(path)
        decode(path)
    return (time.process_time() - began) / len(some)


def memory(root: Path) -> float:
    """Bytes per image of what a worker gets that decodes files."""
    given = {
        "manifest": None,
        "columns": None,
        "delimiter": "auto",
        "on_bad_image": "error",
        "signals": ["image"],
        "max_pixels": 50_000_000,
    }
    files = Folder(root=str(root), label="label", group=None, takes="class", **given).splits["train"]
    return len(pickle.dumps(files)) / len(files)


if __name__ == "__main__":
    sys.exit(main())
