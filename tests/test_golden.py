"""A change that should change nothing must change nothing: the curve of a short run is on record."""

from pathlib import Path

import pytest

from scripts.golden import FILE, curve, read

LOOSE = {"accuracy": 0.02, "accuracy_macro": 0.02, "f1_macro": 0.02, "ece": 0.02}  # one image more or less
LOOSE |= {"grad_norm": 0.05}  # a kink that one rounding crosses moves it, and hardly the loss
RELATIVE = 1e-3  # other processors, and other numbers of threads, add in another order
LATER = 5  # times as much from the second epoch on: differences grow from step to step


def test_the_curve_is_the_one_on_record(tmp_path: Path) -> None:
    mine, golden = curve(tmp_path), read(FILE)
    assert [row.keys() for row in mine] == [row.keys() for row in golden]
    for row, wanted in zip(mine, golden, strict=True):
        for name in wanted:
            relative = RELATIVE * (LATER if int(wanted["epoch"]) else 1)
            assert close(name, row[name], wanted[name], relative), (
                f"step {wanted['step']}: {name}, see scripts/golden.py"
            )


def close(name: str, mine: str, wanted: str, relative: float = RELATIVE) -> bool:
    if not wanted:
        return not mine
    allowed = LOOSE.get(name.rpartition("/")[2], 0)
    return float(mine) == pytest.approx(float(wanted), rel=relative, abs=allowed or 1e-12)


def test_a_difference_that_matters_is_seen() -> None:
    assert close("train/loss", "2.3019", "2.3020")
    assert not close("train/loss", "2.3019", "2.3050")
    assert not close("train/loss", "2.3019", "")
    assert not close("val/accuracy", "0.91", "0.94")
