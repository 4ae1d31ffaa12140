"""Record the golden curve: what a short run on the CPU has to give, on any machine, to a thousandth.

`make golden` writes it anew, after a change that is meant to change numbers; the commit says why it does.
"""

import csv
import tempfile
from pathlib import Path

from imagelab.config.compose import compose, plain
from imagelab.train import start

FILE = Path(__file__).parents[1] / "tests" / "golden" / "digits_cpu.csv"
WORDS = ["trainer=cpu", "augment=[crop,cutout,mixup]", "trainer.max_epochs=2", "trainer.log_every_n_steps=1"]


def curve(folder: Path) -> list[dict[str, str]]:
    """The records of the run, made in this folder: one for each step and each epoch."""
    composed = compose("train", WORDS)
    assert composed.cfg is not None, composed.problems
    start(plain(composed.cfg), folder)
    return read(folder / "metrics.csv")


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file of metrics."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run, and write the curve."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = curve(Path(scratch))
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} records in {FILE}; look at `git diff`.")


if __name__ == "__main__":
    main()
