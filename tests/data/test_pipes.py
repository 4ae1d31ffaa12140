# room: detection
"""A named pipe in the place of annotations is passed over, and never waited for."""

import os
import signal
from pathlib import Path

import pytest

from imagelab.data.box_table import box_table
from imagelab.data.coco import coco_files
from imagelab.data.voc import voc_files
from imagelab.data.yolo import yolo_names


@pytest.fixture(autouse=True)
def patience():
    """Two seconds: reading a pipe that nobody writes to would take for ever."""

    def give_up(*_: object) -> None:
        raise TimeoutError("waits for a named pipe")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 2)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("name", "find"),
    [("a.xml", voc_files), ("a.json", coco_files), ("data.yaml", yolo_names), ("boxes.csv", box_table)],
)
def test_annotations_are_read_from_files_only(tmp_path: Path, name: str, find) -> None:
    os.mkfifo(tmp_path / name)
    assert not find(tmp_path)
