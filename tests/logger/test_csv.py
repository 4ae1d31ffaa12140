"""metrics.csv: exact, cheap, and the same bytes after any kill."""

import csv
import math
import random
import time

import numpy as np
import pytest
import torch

from imagelab.logger.csv import CsvLogger

RECORDS = [
    ({"epoch": 0, "train/loss": 2.302585092994046, "lr/weights": 1e-05}, 1),
    ({"epoch": 0, "train/loss": 0.1 + 0.2, "lr/weights": 0.01}, 2),
    ({"epoch": 0, "val/loss": 1.5, "val/accuracy": 0.25}, 2),
    ({"epoch": 1, "train/loss": 1 / 3, "lr/weights": 1e-300}, 3),
    ({"epoch": 1, "val/loss": 1.25, "val/accuracy": 0.5, "val/f1, macro": 0.5}, 4),
    ({"test/accuracy": 0.75}, 4),
]


def write(folder, records):
    logger = CsvLogger(folder=folder)
    for metrics, step in records:
        logger.log_metrics(metrics, step)
    return logger


def content(folder):
    return (folder / "metrics.csv").read_bytes()


def test_rows_and_columns_keep_the_order_of_their_appearance(tmp_path):
    write(tmp_path, RECORDS)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *(
            "epoch",
            "step",
            "train/loss",
            "lr/weights",
            "val/loss",
            "val/accuracy",
            "val/f1, macro",
            "test/accuracy",
        )
    ]
    assert [row["step"] for row in rows] == ["1", "2", "2", "3", "4", "4"]
    assert [row["epoch"] for row in rows] == ["0", "0", "0", "1", "1", ""]
    for row, (metrics, _) in zip(rows, RECORDS, strict=True):
        assert {name: float(cell) for name, cell in row.items() if cell and name != "step"} == metrics


def test_every_number_reads_back_exactly(tmp_path):
    values = [0.1, 1 / 3, 1e-320, np.float32(0.1), torch.tensor(0.1), math.inf, True]
    write(tmp_path, [({"value": value}, step) for step, value in enumerate(values)])
    with (tmp_path / "metrics.csv").open() as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [float(value) for value in values]


def test_a_row_is_in_the_file_as_soon_as_it_is_logged(tmp_path):
    logger = CsvLogger(folder=tmp_path)
    for count, (metrics, step) in enumerate(RECORDS, start=1):
        logger.log_metrics(metrics, step)
        assert content(tmp_path).count(b"\n") == count + 1 == logger.rows + 1


@pytest.mark.parametrize("kept", range(len(RECORDS) + 1))
def test_a_file_rewound_to_any_row_and_continued_equals_an_undisturbed_one(tmp_path, kept):
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    write(tmp_path / "undisturbed", RECORDS[:kept])
    short = content(tmp_path / "undisturbed") if kept else b"epoch,step\n"
    write(tmp_path / "undisturbed", RECORDS[kept:])

    write(tmp_path / "killed", RECORDS)
    resumed = CsvLogger(folder=tmp_path / "killed")
    assert resumed.rows == len(RECORDS)
    resumed.rewind(kept)
    assert content(tmp_path / "killed") == short
    assert resumed.rows == kept
    for metrics, step in RECORDS[kept:]:
        resumed.log_metrics(metrics, step)
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")


def test_a_file_cut_at_any_byte_is_continued_to_the_same_bytes(tmp_path):
    write(tmp_path, RECORDS)
    whole = content(tmp_path)
    for cut in random.Random(0).sample(range(len(whole)), 30):
        (tmp_path / "metrics.csv").write_bytes(whole[:cut])
        resumed = CsvLogger(folder=tmp_path)
        rows = max(whole[:cut].count(b"\n") - 1, 0)
        assert resumed.rows == rows
        resumed.rewind(rows)
        for metrics, step in RECORDS[rows:]:
            resumed.log_metrics(metrics, step)
        assert content(tmp_path) == whole, cut


def test_a_cut_row_is_dropped_when_logging_continues_without_rewinding(tmp_path):
    write(tmp_path, RECORDS[:2])
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("1,3,0.33")
    write(tmp_path, RECORDS[3:4])
    lines = content(tmp_path).decode().splitlines()
    assert len(lines) == 4
    assert lines[-1] == "1,3,0.3333333333333333,1e-300"


def test_missing_rows_are_reported(tmp_path):
    logger = write(tmp_path, RECORDS[:2])
    with pytest.warns(UserWarning, match=r"metrics\.csv has 2 rows, but the checkpoint counts 5"):
        logger.rewind(5)
    assert logger.rows == 2


def test_a_full_disk_while_a_column_is_added_leaves_the_old_file(tmp_path, monkeypatch):
    logger = write(tmp_path, RECORDS[:2])
    before = content(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        logger.log_metrics(*RECORDS[2])
    assert content(tmp_path) == before


def test_a_record_costs_less_than_50_microseconds(tmp_path):
    logger = write(tmp_path, RECORDS)
    metrics = {"epoch": 0, "train/loss": 0.123456789, "lr/weights": 0.01}
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        for step in range(200):
            logger.log_metrics(metrics, step)
        best = min(best, (time.process_time() - start) / 200)
    assert best < 50e-6, f"{best * 1e6:.0f} us"
