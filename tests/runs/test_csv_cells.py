import io

import pytest

from imagelab.runs.csv_cells import Writer, guarded, read_table, restored, write_rows

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-x.jpg", "@SUM(A1)", "\tx", "\rx"]
NAMES = [*FORMULAS, "'=x", "''-y", "'s", "plain", "", "-0.5"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_formula_and_is_read_back_as_it_was(name: str) -> None:
    out = io.StringIO()
    Writer(out).writerow([name, name])
    assert restored(guarded(name)) == name
    out.seek(0)
    columns, _ = read_table(out)
    assert columns == [name, name]
    assert name in ("", "-0.5") or not out.getvalue().lstrip('"').startswith(("=", "+", "-", "@", "\t", "\r"))


def test_numbers_and_other_names_are_written_as_they_are() -> None:
    assert [guarded(cell) for cell in (-1, -0.5, "-0.5", "+1e-5", "-.5", "a=b", "it's")] == [
        *(-1, -0.5, "-0.5", "+1e-5", "-.5", "a=b", "it's")
    ]
    assert guarded("-1+1") == "'-1+1"


def test_rows_come_back_by_their_columns() -> None:
    out = io.StringIO()
    rows = [{"file": "=a", "-class": "@b"}, {"file": "c", "-class": ""}]
    write_rows(out, ["file", "-class"], rows)
    assert out.getvalue() == "file,'-class\r\n'=a,'@b\r\nc,\r\n"
    assert read_table(io.StringIO(out.getvalue(), newline="")) == (["file", "-class"], rows)
