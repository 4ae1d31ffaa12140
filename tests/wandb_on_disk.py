# room: logger/wandb
"""Make W&B's logger for a folder, and read back what an offline run wrote there."""

import struct
from pathlib import Path
from typing import Any

import wandb
from wandb.proto import wandb_internal_pb2

from imagelab.logger.wandb import wandb_logger


def make(folder: Path, mode: Any = "auto") -> Any:
    """A logger of a run in `folder`."""
    folder.mkdir(exist_ok=True)
    return wandb_logger(
        project="birds",
        entity=None,
        name=None,
        tags=["quick"],
        group="fold",
        mode=mode,
        artifacts=True,
        folder=folder,
    )


def records(folder: Path) -> list[Any]:
    """All records of the offline runs in a folder, oldest run first: LevelDB's log format, 32 KiB blocks."""
    wandb.teardown()  # its process writes the last records some time after `finish`
    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        data, place, record = path.read_bytes(), 7, b""
        while place + 7 <= len(data):
            left = 32768 - place % 32768
            if left < 7:
                place += left
                continue
            _, length, kind = struct.unpack("<IHB", data[place : place + 7])
            record += data[place + 7 : place + 7 + length]
            place += 7 + length
            if kind in (1, 4):  # a whole record, or the last part of one
                found.append(wandb_internal_pb2.Record.FromString(record))
                record = b""
    return found
