"""Log to TensorBoard: event files in the run's folder.

Source: https://lightning.ai/docs/pytorch/stable/extensions/generated/lightning.pytorch.loggers.TensorBoardLogger.html
"""

from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger

from imagelab.problem import Problem


def tensorboard_logger(*, folder: Path) -> TensorBoardLogger:
    """Make a logger that writes event files to `<folder>/tensorboard`; view with `tensorboard --logdir logs`.

    Args:
        folder: Folder of the run; a resumed run adds a file, which TensorBoard joins to the others.
    """
    if find_spec("tensorboard") is None:
        raise Problem(
            "logger=[tensorboard] needs the package tensorboard, which is not installed: "
            "uv pip install 'imagelab[tensorboard]' (or: pip install tensorboard)"
        )
    return TensorBoardLogger(save_dir=folder, name="", version="tensorboard", default_hp_metric=False)
