"""Load the checkpoints that an evaluation averages, and check that their classes and images agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelab.checkpoints.content import SNAPSHOT, TOP, better, expect_predictions
from imagelab.config.schema import Node
from imagelab.evaluation.one_run import checkpoint_of, have_changed
from imagelab.loading import from_checkpoint
from imagelab.problem import Problem
from imagelab.runs import find
from imagelab.runs.files import CONFIG, read_config
from imagelab.terminal import screen

KINDS = {  # of members that are several files of a run: how these begin, and how to get some
    "snapshots": (SNAPSHOT, "schedule=cosine_restarts trick=[snapshots]"),
    "top": (TOP, "save_top=3"),
}
HARMLESS = {
    "batch_size",
    "workers",
    "size",
    "balance",
    "storage",
}  # keys of data that do not change its splits
# keys that do not change the test images
OF_TRAINING = {"val_fraction", "folds", "fold", "train_limit", "extra", "extra_share"}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One set of weights in an ensemble.

    Args:
        folder: Folder of its run.
        checkpoint: Name of the checkpoint, without suffix.
        weights: raw, ema or swa.
        cfg: Config of its run.
        predictor: Predictor with these weights.
        order: Index of each of the first member's classes among this member's classes.
        card: Classes, preprocessing and, from newer runs, checksums of the labels, as in its checkpoint.
    """

    folder: Path
    checkpoint: str
    weights: str
    cfg: Node
    predictor: Any
    order: list[int]
    card: Node


def asked(cfg: Node) -> list[tuple[Path, str]]:
    """List the runs and checkpoint names that an evaluation asks for, in order.

    Args:
        cfg: Config with the keys run, sweep, members, snapshots and checkpoint.

    Raises:
        Problem: If there are none.
    """
    if (cfg["run"] is None) == (cfg["sweep"] is None):
        both = cfg["run"] is not None
        raise Problem(
            f"run: wants one of run=FOLDER (or last, or [A,B]) and sweep=FOLDER, "
            f"got {'both' if both else 'neither'}"
        )
    places = _listed(cfg["run"]) if cfg["sweep"] is None else _below(cfg["sweep"])
    names = _listed(cfg["members"] or cfg["checkpoint"])
    found = [pair for place in places for pair in _checkpoints(place, names, cfg["snapshots"])]
    if not found:
        raise Problem("run: the list is empty; set run=FOLDER, or run=[A,B]")
    return list(dict.fromkeys(found))


def load_members(pairs: list[tuple[Path, str]], weights: str | None) -> list[Member]:
    """Load the checkpoints.

    Args:
        pairs: Run and checkpoint of each member.
        weights: raw, ema or swa; None: for each those that were better in validation.

    Raises:
        Problem: If one is missing or damaged, lacks these weights, or has other classes than the first.
    """
    members: list[Member] = []
    for folder, name in pairs:
        content = checkpoint_of(folder, name)
        expect_predictions(content, folder)
        predictor = from_checkpoint(content, weights)
        first = members[0] if members else None
        names = predictor.task.names
        known = first.predictor.task.names if first else names
        members.append(
            Member(
                folder=folder,
                checkpoint=name,
                weights=weights or better(content),
                cfg=read_config(folder),
                predictor=predictor,
                order=aligned(known, names, first.folder if first else folder, folder),
                card=content["imagelab"],
            )
        )
    return members


def aligned(wanted: list[str], classes: list[str], first: Path, other: Path) -> list[int]:
    """The index of each wanted class among the classes of another run.

    >>> aligned(["cat", "dog"], ["dog", "cat"], Path("a"), Path("b"))
    [1, 0]

    Raises:
        Problem: If they are not the same classes.
    """
    if set(wanted) != set(classes):
        only = [f"{name} only in {run}" for name, run in _differing(wanted, classes, first, other)]
        raise Problem(
            f"run: the members must have the same classes, but {first} and {other} differ: "
            f"{', '.join(only[:6])}{' ...' * (len(only) > 6)}"
        )
    return [classes.index(name) for name in wanted]


def other_images(members: list[Member], split: str) -> list[str]:
    """One sentence for each run whose config selects other images for a split than the first run's."""
    free = HARMLESS | (OF_TRAINING if split == "test" else set())
    first = members[0]
    found = {}
    for member in members[1:]:
        mine = _in_one_order(first.cfg["data"])
        theirs = _in_one_order(member.cfg["data"])
        keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
        if keys := [f"data.{key.replace('_target_', 'source')}" for key in keys if key not in free]:
            found[member.folder] = (
                f"{member.folder} differs from {first.folder} in {', '.join(keys)}: the {split} images are "
                f"those of {first.folder}, and the other may have trained on some of them."
            )
    return list(found.values())


def changed_images(members: list[Member], data: Any, split: str) -> list[str]:
    """One sentence for each run after the first whose images of a split, or their labels, have changed since.

    Args:
        members: Members; those with other images or another order of the classes are left out.
        data: Data of the first member.
        split: Split to evaluate.
    """
    first = members[0].folder
    found = {
        one.folder: f"{one.folder}: the images of {split} or their labels have changed since the run began."
        for one in members[1:]
        if one.folder != first and one.card["classes"] == data.classes and have_changed(data, one.card, split)
        if not other_images([members[0], one], split)
    }
    return list(found.values())


def _in_one_order(data: Node) -> Node:
    """The keys of data with the classes sorted: their order only matters to what a limit keeps."""
    if not data.get("classes") or data.get("limit") is not None:
        return data
    return data | {"classes": sorted(map(str, data["classes"]))}


def titles(members: list[Member]) -> list[str]:
    """A short name for each member: what distinguishes it from the others."""
    folders = list(dict.fromkeys(member.folder for member in members))
    short = {folder: folder.name for folder in folders}
    if len(set(short.values())) < len(folders):
        short = {folder: str(folder) for folder in folders}
    several = len({member.checkpoint for member in members}) > 1 or len(folders) < len(members)
    return [
        " ".join([short[m.folder]] * (len(folders) > 1) + [m.checkpoint] * (several or len(folders) == 1))
        for m in members
    ]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))


def _checkpoints(place: str, names: list[str], last: int | None) -> Iterator[tuple[Path, str]]:
    path = Path(place)
    if path.suffix == ".ckpt":
        yield find.existing(str(path.parent.parent)), path.stem
        return
    folder = find.existing(place)
    for name in names:
        if name not in KINDS:
            yield folder, name
        else:
            yield from ((folder, file.stem) for file in of_kind(folder, name)[-(last or 0) :])


def of_kind(folder: Path, name: str) -> list[Path]:
    """The snapshots of a run, or its best epochs, oldest first.

    Raises:
        Problem: If there are none.
    """
    prefix, words = KINDS[name]
    numbers = {
        file: file.stem.removeprefix(prefix) for file in (folder / "checkpoints").glob(f"{prefix}*.ckpt")
    }
    found = sorted((int(number), file) for file, number in numbers.items() if number.isdigit())
    if not found:
        raise Problem(f"members={name}: run={folder} has none; train with {words}")
    return [file for _, file in found]


def _below(sweep: str) -> list[str]:
    folder = Path(sweep).expanduser()
    if not folder.is_dir():
        raise Problem(f"sweep={sweep}: there is no such folder")
    every = sorted({file.parent for file in folder.rglob(CONFIG) if ".hydra" not in file.parts}, key=_natural)
    done = [run for run in every if find.status(run) == "finished"]
    if not done:
        raise Problem(f"sweep={sweep}: there is no finished run below it")
    if left := [str(run) for run in every if run not in done]:
        screen.say(f"Left out because they are not finished: {', '.join(left)}.")
    return [str(run) for run in done]


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in path.parts]


def _differing(wanted: list[str], classes: list[str], first: Path, other: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, first) for name in wanted if name not in classes)
    yield from ((name, other) for name in classes if name not in wanted)
