import pytest

from imagelab.data.manifest import read_manifest
from imagelab.problem import Problem


@pytest.fixture
def table(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path / "labels.csv"


def test_without_a_split_column_everything_is_for_training(table):
    table.write_text("file,label\na.png,x\nb.png,y\nc.png,x\n")
    folder = str(table.parent)
    assert read_manifest(table, table.parent, "label") == {
        "train": {"x": [f"{folder}/a.png", f"{folder}/c.png"], "y": [f"{folder}/b.png"]}
    }


def test_order_of_columns_quotes_blanks_and_the_mark_of_excel_do_not_matter(table):
    table.write_text('\ufefflabel, extra, "file"\r\n x ,1,"a.png"\r\n"y, z",2, b.png\r\n', encoding="utf-8")
    folder = str(table.parent)
    assert read_manifest(table, table.parent, "label") == {
        "train": {"x": [f"{folder}/a.png"], "y, z": [f"{folder}/b.png"]}
    }


def test_files_are_searched_beside_the_table_and_then_in_root(table, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "b.png").write_bytes(b"x")
    inner = tmp_path / "tables" / "t.csv"
    inner.write_text(f"file,label\na.png,x\nb.png,x\n{tmp_path}/c.png,x\n")
    found = read_manifest(inner, tmp_path, "label")["train"]["x"]
    assert found == [f"{tmp_path}/a.png", f"{tmp_path}/tables/b.png", f"{tmp_path}/c.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,label\na.png,x\n", r"must have the columns file,label\[,split\], got name,label"),
        ("file;label\na.png;x\n", r"must have the columns file,label\[,split\], got file;label"),
        ("", r"must have the columns .*, got \(none\)"),
        (
            "file,label,split\na.png,x,train\nb.png,y,trian\n",
            r"unknown splits .*train, val or test.*: trian \(line 3\)",
        ),
        ("file,label,split\na.png,x,train\nb.png,y\n", r"unknown splits .*: \(empty\) \(line 3\)"),
        ("file,label\na.png,\n", r"files without a label: .*a\.png \(line 2\)"),
        (
            "file,label\na.png,x\nd.png,y\ne.png,y\n",
            r"do not exist: .*d\.png \(line 3\), .*e\.png \(line 4\)",
        ),
        ("file,label\na.png,x\n./a.png,y\n", r"more than once: .*a\.png \(line 2\), .*a\.png \(line 3\)"),
    ],
)
def test_a_mistake_in_a_table_is_reported_with_its_line(table, text, said):
    table.write_text(text)
    with pytest.raises(Problem, match=said) as problem:
        read_manifest(table, table.parent, "label")
    assert str(table) in str(problem.value)


def test_a_table_that_is_not_text_is_refused(table):
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match="cannot be read as a table"):
        read_manifest(table, table.parent, "label")


def test_many_missing_files_are_counted_not_all_printed(table):
    table.write_text("file,label\n" + "".join(f"{k:03}.png,x\n" for k in range(100)))
    with pytest.raises(Problem, match="and 80 more") as problem:
        read_manifest(table, table.parent, "label")
    assert "019.png" in str(problem.value)
    assert "020.png" not in str(problem.value)


def test_names_that_were_guarded_against_spreadsheets_are_found(table):
    for name in ("=a.png", "'=b.png"):
        (table.parent / name).write_bytes(b"x")
    table.write_text("file,label\n'=a.png,'-x\n'=b.png,y\n")
    folder = str(table.parent)
    assert read_manifest(table, table.parent, "label") == {
        "train": {"-x": [f"{folder}/=a.png"], "y": [f"{folder}/'=b.png"]}
    }
