# room: trick/distill
"""What a teacher brings a small network that has few labels, with and without unlabelled pictures.

    .venv/bin/python benchmarks/distill.py [--seeds 5] [--workers 1]

The teacher is the default network after 20 epochs on all digits. The student has 1,442 weights and 50 or 200
labels; the unlabelled pictures are all 1,295 training digits. The sides of a comparison have the same seeds,
labels and steps. Runs are kept in benchmarks/results/distill.csv, one line each, and not repeated; the table
is distill.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from many_runs import Record, Words, finish, machine, spread
from PIL import Image

from imagelab.build import build_data
from imagelab.config.compose import compose, plain

RESULTS = Path(__file__).parent / "results"
RECORD = Record(RESULTS / "distill.csv")
QUIET = {"trainer": "cpu", "logger": "[]", "save_every": "100000"}
TEACHER = QUIET | {"trainer.max_epochs": "20"}
TEACHER_SEED = 100
STUDENT = QUIET | {"model.widths": "[8,16]", "data.batch_size": "50"}
ALONE, TAUGHT, UNLABELLED = SIDES = ("alone", "taught", "taught, also on unlabelled pictures")


class Task(NamedTuple):
    """How many labels there are, and for how many epochs of 50 images a step."""

    labels: int
    epochs: int

    def __str__(self) -> str:
        return f"{self.labels} labels, {self.epochs * -(-self.labels // 50)} steps"


TASKS = (Task(50, 160), Task(200, 40), Task(200, 200))


def words(task: Task, side: str, kept: Path) -> Words:
    """What a run is told."""
    told = STUDENT | {"data.train_limit": str(task.labels), "trainer.max_epochs": str(task.epochs)}
    if side != ALONE:
        told |= {"trick": "[distill]", "trick.distill.teacher": str(kept / "teacher")}
    if side == UNLABELLED:
        told |= {"trick.distill.unlabelled": str(kept / "pool"), "trick.distill.per_batch": "128"}
    return told


def prepare(kept: Path) -> None:
    """Train the teacher and write the unlabelled pictures, unless they are there."""
    if not (kept / "teacher" / "results.json").is_file():
        finish(TEACHER, TEACHER_SEED, kept / "teacher")
    if not (kept / "pool").is_dir():
        cfg = plain(compose("train", []).cfg)
        images = build_data(cfg).splits["train"].images
        (kept / "pool").mkdir()
        for place, image in enumerate(images):
            Image.fromarray(image[0].numpy()).save(kept / "pool" / f"{place:04d}.png")


def rows(done: dict[tuple[str, int], float]) -> Iterator[str]:
    """The lines of the table: accuracy, and the difference from the student alone, paired by seed."""
    for task in TASKS:
        for side in SIDES:
            name, base = f"{task}: {side}", f"{task}: {ALONE}"
            seeds = sorted(seed for key, seed in done if key == name and (base, seed) in done)
            if len(seeds) < 2:
                continue
            gains = [done[name, seed] - done[base, seed] for seed in seeds]
            gain = "" if side == ALONE else spread(gains)
            row = (str(task), side, spread([done[name, seed] for seed in seeds]), gain, str(len(seeds)))
            yield f"| {' | '.join(row)} |"


HEAD = """# What a teacher brings

Test accuracy in percent on the digits, mean and standard error over seeds; gain: paired by seed. Student of
1,442 weights, temperature 4, alpha 0.9, all as in the config file but the number of unlabelled pictures per
batch, 128; the teacher has 57,000 weights and saw all labels.

    .venv/bin/python benchmarks/distill.py

{date}, {machine}.

| task | student | accuracy | gain | seeds |
|---|---|---|---|---|
"""


def main() -> int:
    """Do the runs that are missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="runs side by side, one thread each")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "imagelab-distill")
    args = parser.parse_args()
    prepare(args.kept)
    wanted = {
        (f"{task}: {side}", seed): words(task, side, args.kept)
        for seed in range(args.seeds)
        for task in TASKS
        for side in SIDES
    }
    RECORD.fill(wanted, args.workers)
    table = HEAD.format(date=date.today(), machine=machine()) + "\n".join(rows(RECORD.read())) + "\n"
    (RESULTS / "distill.md").write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
