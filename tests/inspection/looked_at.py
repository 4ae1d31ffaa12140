"""A folder as inspect sees it, without the command."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagelab.inspection.collection import Collection, collect

KNOBS: dict[str, Any] = {
    "batch_size": 8,
    "workers": 0,
    "size": None,
    "limit": None,
    "train_limit": None,
    "classes": None,
    "balance": False,
    "val_fraction": 0.1,
    "folds": None,
    "fold": None,
    "test_fraction": 0.2,
    "storage": "auto",
    "decisions": None,
    "max_pixels": 50_000_000,
}


def config_of(root: Path, **changes: Any) -> dict[str, Any]:
    """The config of `data=folder data.root=ROOT`."""
    own = {
        "_target_": "imagelab.data.folder.Folder",
        "root": str(root),
        "manifest": None,
        "columns": None,
        "delimiter": "auto",
        "label": "label",
        "group": None,
        "on_bad_image": "error",
    }
    task = changes.pop("task", {"_target_": "imagelab.task.classify.Classify"})
    return {"seed": 0, "split": None, "task": task, "data": own | KNOBS | changes}


def collection(root: Path, files: dict[str, bytes], **changes: Any) -> Collection:
    """The images of a folder into which these files are written."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return collect(config_of(root, **changes))


def png(value: int) -> bytes:
    """A PNG file of 12 x 8 pixels of one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 12, 3), value, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()
