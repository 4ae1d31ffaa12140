"""Run the command `predict`: a file, folder, glob or table -> class and probabilities per file, or its boxes.

imagelab predict run=last source=photos/
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from imagelab import launch
from imagelab.config.schema import Node
from imagelab.data.pictures import listed
from imagelab.data.signals import beside_files
from imagelab.exporting.formats import is_exported, load_exported  # room: exporting
from imagelab.problem import Problem
from imagelab.runs import find
from imagelab.runs.csv_cells import Writer
from imagelab.runs.files import write_text
from imagelab.terminal import screen

RESULT = "predictions.csv"
Writes = Callable[[Node, Path, Any, list[Path]], list[tuple[Path, str]]]
SURE = ("set", "unlike", "far")  # columns that `set` adds
EXPLAINED = 100  # pictures on the page with heat maps  # room: explaining


@dataclass(frozen=True, kw_only=True)
class Predict:
    """The root keys of configs/predict.yaml."""

    run: str
    source: str
    output: str | None
    batch_size: int
    set: float | None
    score: float | None  # room: detection
    draw: bool  # room: detection
    tta: dict[str, Any] | None
    explain: bool  # room: explaining


def main() -> None:
    """Predict the classes of images."""
    launch.run_hydra(start, "predict", Predict)


def start(cfg: Node, _: Path) -> None:
    """Write what is predicted for each image, and report those that could not be read."""
    run = find_network(cfg["run"])
    paths, others, table = listed(cfg["source"])
    if cfg["run"] == "last":
        screen.say(f"run=last: {run}")
    output = Path(cfg["output"] or folder_of(run) / RESULT).expanduser()
    predictor = _predictor(run, cfg["tta"], cfg["batch_size"])
    if columns_beside := predictor.preprocess.signals:
        predictor.beside = beside_files(table, columns_beside)
    unreadable = _writer(predictor)(cfg, output, predictor, paths)
    screen.say(*(_printable(f"unreadable: {path}: {error}") for path, error in unreadable))
    count = f"{len(paths):,} file{'s' * (len(paths) > 1)}, {len(unreadable):,} of them unreadable"
    passed = f"; skipped {others:,} without an image extension" if others else ""
    screen.say_written(output, before=f"{count}{passed}. ")


def find_network(run: str) -> str | Path:
    """Find the folder of a run, a file, or the name of weights that `imagelab.load` takes.

    Raises:
        Problem: There is none.
    """
    if is_exported(run):  # room: exporting
        return Path(run).expanduser()
    return find.network(run)


def folder_of(run: str | Path) -> Path:
    """The folder of a run, or that of a file; the current one for weights from elsewhere."""
    if isinstance(run, str):
        return Path()
    return run if run.is_dir() else run.parent


def write_table(cfg: Node, output: Path, predictor: Any, paths: list[Path]) -> list[tuple[Path, str]]:
    """Write one CSV line per file, and a page with heat maps if asked; return the unreadable files, and why.

    Raises:
        Problem: If a key is for boxes, or a file cannot be written.
    """
    wrong = [name for name in ("score", "draw") if cfg[name] not in (None, False)]  # room: detection
    if wrong:  # room: detection
        raise Problem(f"{wrong[0]}: is for networks that find boxes, and this one does not; leave it out")
    _check_set(predictor, cfg["set"])
    if cfg["explain"]:  # room: explaining
        explain(output.with_suffix(".html"), predictor, paths)
    return write(output, predictor, paths, cfg["batch_size"], cfg["set"])


def write(
    output: Path, predictor: Any, paths: list[Path], batch_size: int, level: float | None = None
) -> list[tuple[Path, str]]:
    """Write one CSV line per file; return the unreadable ones, and why.

    Raises:
        Problem: If the file cannot be written.
    """
    unreadable = []
    try:
        # File names may contain bytes that are not text; they are written unchanged.
        with output.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = Writer(file)
            writer.writerow(["file", *columns(predictor.task, level), "error"])
            for path, line, error in lines(predictor, paths, batch_size, level):
                writer.writerow([path, *line, error])
                unreadable += [(path, error)] if error else []
    except OSError as problem:
        raise Problem(f"output={output} cannot be written: {problem.strerror or problem}") from problem
    return unreadable


def lines(
    predictor: Any, paths: list[Path], batch_size: int, level: float | None = None
) -> Iterator[tuple[Path, Iterable[str], str]]:
    """Yield for each file its path, the cells of `columns`, and why it was unreadable."""
    empty = [""] * len(columns(predictor.task, level))
    for first in range(0, len(paths), batch_size):
        some = paths[first : first + batch_size]
        readings, more = _judged(predictor, some, level)
        for path, reading in zip(some, readings, strict=True):
            if isinstance(reading, Exception):
                yield path, empty, str(reading).removeprefix(f"{path}: ")
            else:
                summary = predictor.task.columns
                found = cells(predictor.task, reading)
                yield path, [*found[: len(summary)], *next(more), *found[len(summary) :]], ""


def _writer(predictor: Any) -> Writes:
    """What writes predictions of files: a function of the task if they lie at places of the image."""
    from imagelab.metrics.measure import function_at
    from imagelab.task.contract import Placing

    return function_at(predictor.task.writes) if isinstance(predictor.task, Placing) else write_table


def _judged(predictor: Any, some: list[Path], level: float | None) -> tuple[list[Any], Iterator[list[str]]]:
    """The predictions, and the cells that `set` adds to each readable one."""
    if level is None:
        return predictor.files(some), repeat([])
    from imagelab.evaluation.judged import judged

    return judged(predictor, some, level)


def _check_set(predictor: Any, level: float | None) -> None:
    """Refuse `set` for a network that cannot have it, before any file is written."""
    if level is not None:
        from imagelab.evaluation.judged import certainty_of
        from imagelab.predictor import Predictor

        if not isinstance(predictor, Predictor):
            raise Problem(
                "set: needs the network of a run; leave tta out, and set run to the folder of a run"
            )
        certainty_of(predictor)


def explain(file: Path, predictor: Any, paths: list[Path]) -> None:  # room: explaining
    """Write a page with heat maps of the first pictures.

    Raises:
        Problem: If the predictor is an exported file, or averages over views, or the page cannot be written.
    """
    from imagelab.explaining.gallery import heat_section
    from imagelab.pages.page import page
    from imagelab.predictor import Predictor, batch_of

    if not isinstance(predictor, Predictor):
        raise Problem("explain: needs the network itself; leave tta out, and set run to the folder of a run")
    if not file.parent.is_dir():  # said before the maps are computed
        raise Problem(f"output: {file} cannot be written: there is no folder {file.parent}")
    read = [*zip(paths[:EXPLAINED], predictor.read_ahead(paths[:EXPLAINED]), strict=True)]
    known = [(path, pixels) for path, pixels in read if not isinstance(pixels, Exception)]
    signals = predictor.signals_of(paths[:EXPLAINED], [pixels for _, pixels in read])
    said = predictor.predictions(batch_of([pixels for _, pixels in known]), signals) if known else []
    captions = [
        f"{path.name}: {' '.join(cells(predictor.task, one)[: len(predictor.task.columns)])}"
        for (path, _), one in zip(known, said, strict=True)
    ]
    section = heat_section(predictor, [pixels for _, pixels in known], captions, signals)
    summary = f"The first {len(known):,} of {len(paths):,} pictures."
    title = "Predictions explained"
    write_text(file, page(title=title, summary=summary, findings=[], sections=[section]))
    screen.say(f"page: {file}")


def columns(task: Any, level: float | None = None) -> list[str]:
    """The column names of a prediction: a summary, such as the class, and all its numbers."""
    return [*task.columns, *(SURE if level is not None else ()), *task.names]


def cells(task: Any, reading: Any) -> list[str]:
    """The cells of a prediction, (K,), in these columns."""
    import torch

    return [*task.summary(torch.from_numpy(reading)), *(f"{value:.6f}" for value in reading)]


def _predictor(run: str | Path, tta: Node | None, batch_size: int) -> Any:
    """Load the predictor of a run, on this machine's accelerator if there is one, or that of a file."""
    from imagelab.loading import accelerated, load
    from imagelab.predictor import Predictor

    screen.keep(Path(os.devnull))
    read = load
    read = load_exported if is_exported(run) else load  # room: exporting
    predictor = read(run)
    if not isinstance(predictor, Predictor):
        if tta:
            raise Problem(
                f"tta: {run} is an exported file, which cannot use it; leave it out, or set run=FOLDER"
            )
        return predictor
    if not tta:
        return accelerated(predictor)
    from imagelab.config.make import make
    from imagelab.evaluation.view_predictor import ViewPredictor

    return ViewPredictor(accelerated(predictor), make(tta), room=batch_size)


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


if __name__ == "__main__":
    main()
