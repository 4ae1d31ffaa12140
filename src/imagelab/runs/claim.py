"""Create the folder of a new run, which no other run shares; remove it if the run never began."""

import os
import shutil
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from imagelab.problem import Problem
from imagelab.runs import files

try:
    import fcntl
except ImportError:  # Windows: two processes could then resume the same run
    fcntl = None

ROOM = 1 << 14  # bytes: more than each of the first files of a run needs

BEFORE = (".hydra", "slurm", "job.log")  # what a folder holds before its run begins

_made: list[Path] = []  # folders that this process made, the outermost first
begun: list[Path] = []  # folders of runs that this process started, in order
_locks: list[TextIO] = []  # open files: closing one releases its lock


def new_folder(experiment: str, logs: Path = Path("logs")) -> Path:
    """Make `logs/<experiment>/<date>_<time>[_n]`; two runs of the same second get two folders.

    Raises:
        Problem: Nothing can be written there.
    """
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for n in range(1, 10_000):
        folder = logs / experiment / (stamp if n == 1 else f"{stamp}_{n}")
        if _make(folder):
            return folder
    raise Problem(f"{logs / experiment} holds 9,999 runs started in this second; check what starts them.")


def chosen_folder(name: str) -> Path:
    """Make the folder that `hydra.run.dir` names, and those above it.

    Raises:
        Problem: It is not empty, or nothing can be written there.
    """
    folder = Path(name)
    if not _make(folder):
        refuse_used(folder)
    return folder


def refuse_used(folder: Path) -> None:
    """Raise a Problem if a folder holds more than what Hydra and a job write before a run begins."""
    if (folder / files.CONFIG).exists():
        raise Problem(
            f"{folder} is the folder of another run; resume that one with resume={folder}, "
            "or choose a new folder with hydra.run.dir=DIR."
        )
    if not folder.is_dir() or any(entry.name not in BEFORE for entry in folder.iterdir()):
        what = "holds other files" if folder.is_dir() else "is a file"
        raise Problem(f"{folder} {what}; a run needs a folder of its own: hydra.run.dir=NEW_FOLDER.")


def begin(cfg: dict[str, Any], folder: Path) -> None:
    """Write the whole config of a new run into its folder; of two runs, the first to do so owns it.

    Raises:
        Problem: The folder is another run's, or holds other files.
    """
    refuse_used(folder)
    try:
        (folder / files.CONFIG).touch(exist_ok=False)
    except FileExistsError:
        refuse_used(folder)
    files.write_config(cfg, folder)
    lock(folder)
    begun.append(folder.resolve())


def lock(folder: Path, patience: float = 0) -> None:
    """Lock a run's folder for this process until the process ends, in whatever way.

    Args:
        folder: Folder of the run.
        patience: Seconds to wait for a process that is about to end.

    Raises:
        Problem: Another process trains in it.
    """
    if fcntl is None:
        return
    file = (folder / ".lock").open("w")
    end = time.monotonic() + patience
    while not _locked(file):
        if time.monotonic() > end:
            raise Problem(f"{folder} is in use: another process trains in it.")
        time.sleep(0.2)


def forget_unbegun(folder: Path) -> None:
    """Remove what a kill has left of a run that had not even written its config."""
    config = folder / files.CONFIG
    if config.is_file() and config.stat().st_size == 0:
        for name in (f".{files.CONFIG}.tmp", ".lock", files.CONFIG):
            (folder / name).unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove the folder of a run of this process, and the empty ones above that were made for it."""
    if folder.resolve() not in begun:
        return
    while _locks:
        _locks.pop().close()  # or Windows cannot remove it
    shutil.rmtree(folder, ignore_errors=True)
    discard_empty()


def discard_sweep() -> None:
    """Remove the folder of a sweep of this process in which no trial ever began."""
    for folder in _made:
        entries = list(folder.iterdir()) if (folder / "multirun.yaml").is_file() else []
        if all(entry.is_file() for entry in entries):
            for entry in entries:
                entry.unlink()
    discard_empty()


def discard_empty() -> None:
    """Remove the folders that this process made and that are still empty."""
    for made in reversed(_made):
        with suppress(OSError):  # not empty, or gone
            made.rmdir()


def _locked(file: TextIO) -> bool:
    """Try to lock an open file; False if another process has locked it."""
    assert fcntl is not None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, not kept by workers that outlive us
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    _locks.append(file)
    return True


def _make(folder: Path) -> bool:
    """Make a folder and its parents; False if it exists already."""
    missing = [path.absolute() for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder):
            return False
        folder.mkdir()
    except OSError as error:
        if folder.is_dir():  # another process was faster
            return False
        raise Problem(
            f"The folder {folder} cannot be created ({error.strerror}); set hydra.run.dir=DIR."
        ) from error
    _made.extend(reversed(missing))
    _expect_room(folder)
    return True


def _expect_room(folder: Path) -> None:
    """Raise a Problem if the first files of a run do not fit: Hydra writes them and would show a trace."""
    probe = folder / ".room"
    try:
        probe.mkdir()
        for name in (files.CONFIG, files.RESULTS, "overrides", "hydra"):
            (probe / name).write_bytes(bytes(ROOM))
    except OSError as error:
        shutil.rmtree(probe, ignore_errors=True)
        discard_empty()
        raise Problem(
            f"The folder {folder} cannot hold a run ({error.strerror}); free some space, or set "
            "hydra.run.dir=DIR."
        ) from error
    shutil.rmtree(probe)
