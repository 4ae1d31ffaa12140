"""Log to TensorBoard: event files in the run's folder.

Source: https://lightning.ai/docs/pytorch/stable/extensions/generated/lightning.pytorch.loggers.TensorBoardLogger.html
"""

from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger

from imagelab.logger.written_once import Records, TensorBoardOnce
from imagelab.problem import Problem

NAME = "tensorboard"


def tensorboard_logger(*, folder: Path) -> TensorBoardLogger:
    """Make a logger that writes event files to `<folder>/tensorboard`; view with `tensorboard --logdir logs`.

    Args:
        folder: Folder of the run; a resumed run adds a file, which TensorBoard joins to the others, with the
            records that they lack.
    """
    if find_spec("tensorboard") is None:
        raise Problem(
            "logger=[tensorboard] needs the package tensorboard, which is not installed: "
            "uv pip install 'imagelab[tensorboard]' (or: pip install tensorboard)"
        )
    return TensorBoardOnce(
        written=written_to(folder / NAME), save_dir=folder, name="", version=NAME, default_hp_metric=False
    )


def written_to(folder: Path) -> Records:
    """The records in the event files of a folder."""
    if not folder.is_dir():
        return set()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=False)
    events.Reload()
    return {(name, event.step) for name in events.Tags()["scalars"] for event in events.Scalars(name)}
