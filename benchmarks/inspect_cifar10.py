# room: inspection
"""CPU seconds and peak memory of `imagelab inspect` on CIFAR-10 as 60,000 JPEG files; the copies found.

python benchmarks/inspect_cifar10.py FOLDER [KNOWN.csv [features=weights]]

FOLDER holds train/ and test/ with a folder for each class; KNOWN.csv has the columns train,test with the
known pairs (ciFAIR, https://arxiv.org/abs/1902.00423).
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ratios import Figure, settle


class Used(NamedTuple):
    """By the command and its children, the import of every library included."""

    cpu_seconds: float
    megabytes: float


def inspected(root: Path, folder: Path, *more: str) -> Used:
    """Run the command in a process of its own; `folder`: where its files go."""
    words = ["inspect", "data=folder", f"data.root={root}", f"hydra.run.dir={folder}", *more]
    # The kernel counts the memory of the process that starts another one as that one's, too: it asks itself.
    code = (
        "import sys; from pathlib import Path; from imagelab import cli; cli.main(); "
        "print('', Path('/proc/self/status').read_text(), sep='\\n', file=sys.stderr)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"imagelab {' '.join(words)} ended with {process.returncode}: {said}")
    kilobytes = int(said.rpartition("\nVmHWM:")[2].split()[0])
    return Used(used.ru_utime + used.ru_stime, kilobytes / 1024)


def across(folder: Path) -> set[tuple[str, str]]:
    """The pairs of train and test that were flagged: the file of test, that of train."""
    with (folder / "duplicates.csv").open(newline="", encoding="utf-8") as file:
        pairs = [sorted((row["first_file"], row["second_file"])) for row in csv.DictReader(file)]
    return {(one, other) for one, other in pairs if one.startswith("test/") and other.startswith("train/")}


def main() -> None:
    """Print a row of results/inspect.md."""
    words = [word for word in sys.argv[1:] if word != "--record"]
    root, known = Path(words[0]), Path(words[1]) if len(words) > 1 else None
    with tempfile.TemporaryDirectory() as scratch:
        used = inspected(root, Path(scratch) / "out", *words[2:])
        flagged = across(Path(scratch) / "out")
    print(f"{used.cpu_seconds:.1f} CPU seconds, {used.megabytes:.0f} MB, {len(flagged)} pairs flagged")
    if known:
        with known.open(newline="") as file:
            pairs = {(row["test"], row["train"]) for row in csv.DictReader(file)}
        print(f"{len(flagged & pairs)} of {len(pairs)} known pairs among them")
        images = {test for test, _ in flagged} & {test for test, _ in pairs}
        print(f"{len(images)} of their {len({test for test, _ in pairs})} test images")
    figures = [
        Figure("CPU s", [used.cpu_seconds], "lower", "s"),
        Figure("memory", [used.megabytes], "lower", "MB"),
    ]
    settle("inspect_cifar10" + "_network" * bool(words[2:]), figures, record="--record" in sys.argv)


if __name__ == "__main__":
    main()
