"""Write metrics.csv, one row per record, byte-identical even if the run is killed and resumed."""

import csv
import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger

LEADING = ["epoch", "step"]


class CsvLogger(Logger):
    """Append each record to `<folder>/metrics.csv` immediately.

    Columns: epoch, step, then the metrics in the order of their first appearance. Numbers are written
    exactly. A resumed run first calls `rewind` with the number of rows in its checkpoint.

    Args:
        folder: Folder of the run; rows are appended to an existing metrics.csv.
    """

    def __init__(self, *, folder: Path) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self._columns = list(LEADING)
        self._known = {*LEADING}
        self._rows: int | None = None
        self._file: TextIO | None = None

    @property
    def rows(self) -> int:
        """Number of records written so far, without a row that a kill cut short."""
        if self._rows is None:
            table = _read(self.path)
            self._columns = table[0]
            self._rows = len(table) - 1
        return self._rows

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        file = self._file or self._open()
        if not metrics.keys() <= self._known:
            file = self._widen(metrics)
        record = {**metrics, "step": step}
        file.write(",".join([_cell(record.get(column)) for column in self._columns]) + "\n")
        file.flush()
        self._rows = self.rows + 1

    @rank_zero_only
    def rewind(self, rows: int) -> None:
        """Drop all records after the first `rows`, and columns that only those had."""
        table = _read(self.path)
        if len(table) - 1 < rows:
            warnings.warn(
                f"{self.path} has {len(table) - 1} rows, but the checkpoint counts {rows}: the missing rows "
                "are lost; training continues",
                stacklevel=2,
            )
        self._replace(_narrow(table[: rows + 1]))

    @rank_zero_only
    def log_hyperparams(self, params: Any = None, *args: Any, **kwargs: Any) -> None:
        """Do nothing: config.yaml beside metrics.csv has them."""

    @rank_zero_only
    def sync(self) -> None:
        """Flush the rows to disk: the next checkpoint counts them."""
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    @rank_zero_only
    def close(self, *, failed: bool = False) -> None:
        """Close the file; the next record reopens it."""
        if self._file:
            self._file.close()
        self._file = None

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    def _open(self) -> TextIO:
        table = _read(self.path)
        whole = _text(table)
        if not self.path.exists() or self.path.read_text(encoding="utf-8") != whole:
            self._write(whole)  # without the row that a kill cut short
        self._columns = table[0]
        self._rows = len(table) - 1
        self._known = {*table[0]}
        self._file = self.path.open("a", encoding="utf-8", newline="")
        return self._file

    def _widen(self, metrics: Mapping[str, Any]) -> TextIO:
        table = _read(self.path)
        new = [name for name in metrics if name not in self._known]
        self._replace([table[0] + new, *(row + [""] * len(new) for row in table[1:])])
        return self._open()

    def _replace(self, table: list[list[str]]) -> None:
        self.close()
        self._write(_text(table))
        self._columns = table[0]
        self._rows = len(table) - 1

    def _write(self, text: str) -> None:
        beside = self.path.with_suffix(".csv.partial")
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


def _cell(value: Any) -> str:
    """A number as exact, short text: an int as it is, any other as the float64 that reads back the same.

    >>> _cell(3), _cell(0.1), _cell(float("nan")), _cell(None)
    ('3', '0.1', 'nan', '')
    """
    if value is None:
        return ""
    return repr(value) if type(value) in (int, float) else repr(float(value))


def _read(path: Path) -> list[list[str]]:
    """The header and all complete rows; only the leading columns if there is no file yet."""
    if not path.exists():
        return [list(LEADING)]
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return list(csv.reader(io.StringIO(whole))) or [list(LEADING)]


def _text(table: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue()


def _narrow(table: list[list[str]]) -> list[list[str]]:
    """The table without columns that are empty in every row.

    >>> _narrow([["epoch", "step", "a", "b"], ["0", "1", "", "2.5"]])
    [['epoch', 'step', 'b'], ['0', '1', '2.5']]
    """
    used = [i for i, name in enumerate(table[0]) if name in LEADING or any(row[i] for row in table[1:])]
    return [[row[i] for i in used] for row in table]
