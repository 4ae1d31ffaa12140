"""Find where the features that `imagelab embed` computes with a network lie."""

from pathlib import Path

from imagelab.runs import find

FOLDER, TABLE = "embedding", "features.parquet"


def folder_for(run: str) -> Path:
    """The folder of the features: in that of the run, or in the current folder if there is no run.

    Args:
        run: What a command was given as its network.

    Raises:
        Problem: It is `last`, and there is no run.
    """
    folder = Path(run).expanduser() if run != "last" else find.existing("last")
    return (folder if folder.is_dir() else Path()) / FOLDER
