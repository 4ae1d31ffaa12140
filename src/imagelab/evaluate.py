"""Run the command `evaluate`: measure a finished run, or several as an ensemble.

imagelab evaluate run=last
imagelab evaluate run=[logs/a,logs/b] tta=flip
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.evaluation.outcome import Outcome

Which = Literal["best", "last", "snapshots", "top"]
RESULT, TABLE = "evaluation.json", "evaluation.csv"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """The root keys of configs/evaluate.yaml."""

    run: str | list[str] | None
    sweep: str | None
    members: Which | list[Which] | None
    snapshots: int | None
    checkpoint: Literal["best", "last"]
    split: Literal["train", "val", "test"]
    weights: str | None
    root: str | None
    batch_size: int | None
    predictions: bool
    output: str | None
    person: str | None
    judge: str | None  # room: generators
    tta: dict[str, Any] | None


def main() -> None:
    """Evaluate a run, or several as an ensemble."""
    launch.run_hydra(start, "evaluate", Evaluate)


def start(cfg: Node, _: Path) -> float:
    """Write evaluation.json, into the run's folder if there is one run; a sweep compares its first metric."""
    from imagelab.config.monitor import headline
    from imagelab.evaluation.members import asked
    from imagelab.sweep.started import existing  # room: sweep

    if cfg["sweep"] == "last":  # room: sweep
        cfg = cfg | {"sweep": str(existing("last", "sweep"))}
    pairs = asked(cfg)
    outcome = outcome_of(cfg, pairs)
    folder = place(cfg, [folder for folder, _ in pairs])
    files.write_json(folder / RESULT, outcome.content)
    if outcome.table is not None:
        files.write_text(folder / TABLE, outcome.table)
    screen.say(*outcome.shown)
    screen.say_written(folder / RESULT)
    return outcome.content["metrics"][headline(files.read_config(pairs[0][0]))]


def outcome_of(cfg: Node, pairs: list[tuple[Path, str]]) -> "Outcome":
    """Measure one run by Lightning's own test, or several runs, views or checkpoints together."""
    from imagelab.evaluation.average import average
    from imagelab.evaluation.of_generators import generates, of_generator  # room: generators
    from imagelab.evaluation.once import once

    if len(pairs) == 1 and generates(pairs[0][0]):  # room: generators
        return of_generator(cfg, *pairs[0])
    if cfg["judge"]:  # room: generators
        raise Problem("judge: compares images that one run of task=gan makes with real ones; leave it out")
    return once(cfg, *pairs[0]) if len(pairs) == 1 and cfg["tta"] is None else average(cfg, pairs)


def place(cfg: Node, folders: list[Path]) -> Path:
    """The folder to write into: the one named by the user, else that of the sweep or run, or a new one.

    Raises:
        Problem: If it cannot be created.
    """
    from imagelab.runs.claim import new_folder

    if cfg["output"] is None and cfg["sweep"] is None:
        return folders[0] if len(set(folders)) == 1 else new_folder("evaluate")
    folder = Path(cfg["output"] or cfg["sweep"]).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"output={folder} cannot be created: {error.strerror or error}") from error
    return folder


if __name__ == "__main__":
    main()
