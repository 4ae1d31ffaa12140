import pytest

from imagelab.data.manifest import Table, read_manifest, read_rows
from imagelab.problem import Problem


@pytest.fixture
def table(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path / "labels.csv"


def read(path, root, **how):
    return read_manifest(Table(path, how.get("columns", {}), how.get("delimiter", "auto")), root, "label")


def test_without_a_split_column_everything_is_for_training(table):
    table.write_text("file,label\na.png,x\nb.png,y\nc.png,x\n")
    folder = str(table.parent)
    assert read(table, table.parent) == {
        "train": {"x": [f"{folder}/a.png", f"{folder}/c.png"], "y": [f"{folder}/b.png"]}
    }


def test_order_of_columns_quotes_blanks_and_the_mark_of_excel_do_not_matter(table):
    table.write_text('\ufefflabel, extra, "file"\r\n x ,1,"a.png"\r\n"y, z",2, b.png\r\n', encoding="utf-8")
    folder = str(table.parent)
    assert read(table, table.parent) == {"train": {"x": [f"{folder}/a.png"], "y, z": [f"{folder}/b.png"]}}


def test_files_are_searched_beside_the_table_and_then_in_root(table, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "b.png").write_bytes(b"x")
    inner = tmp_path / "tables" / "t.csv"
    inner.write_text(f"file,label\na.png,x\nb.png,x\n{tmp_path}/c.png,x\n")
    found = read(inner, tmp_path)["train"]["x"]
    assert found == [f"{tmp_path}/a.png", f"{tmp_path}/tables/b.png", f"{tmp_path}/c.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,label\na.png,x\n", r"must have the columns file,label\[,split\], got name,label"),
        ("photo,label\na.png,x\n", r"data\.columns={file: COLUMN, label: COLUMN} says"),
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
        read(table, table.parent)
    assert str(table) in str(problem.value)


def test_a_table_that_is_not_text_is_refused(table):
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match="cannot be read as a table"):
        read(table, table.parent)


def test_many_missing_files_are_counted_not_all_printed(table):
    table.write_text("file,label\n" + "".join(f"{k:03}.png,x\n" for k in range(100)))
    with pytest.raises(Problem, match="and 80 more") as problem:
        read(table, table.parent)
    assert "019.png" in str(problem.value)
    assert "020.png" not in str(problem.value)


def test_names_that_were_guarded_against_spreadsheets_are_found(table):
    for name in ("=a.png", "'=b.png"):
        (table.parent / name).write_bytes(b"x")
    table.write_text("file,label\n'=a.png,'-x\n'=b.png,y\n")
    folder = str(table.parent)
    assert read(table, table.parent) == {"train": {"-x": [f"{folder}/=a.png"], "y": [f"{folder}/'=b.png"]}}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_header_shows_what_separates_the_cells(table, mark):
    table.write_text(f"file{mark}label\na.png{mark}x\nb.png{mark}y\n")
    assert read(table, table.parent)["train"].keys() == {"x", "y"}


def test_a_delimiter_that_is_named_is_the_only_one(table):
    table.write_text("file,label;by,whom\na.png;x\n")
    columns = {"file": "file,label", "label": "by,whom"}
    found = read(table, table.parent, columns=columns, delimiter="semicolon")
    assert found == {"train": {"x": [f"{table.parent}/a.png"]}}


def test_columns_may_have_other_names(table):
    text = "label,photo,kind,part,patient\nno,a.png,x,train,7\nno,b.png,y,valid,8\n"
    table.write_text(text)
    columns = {"file": "photo", "label": "kind", "split": "part", "group": "patient"}
    folder = str(table.parent)
    assert read(table, table.parent, columns=columns) == {
        "train": {"x": [f"{folder}/a.png"]},
        "val": {"y": [f"{folder}/b.png"]},
    }
    groups = read_rows(Table(table, columns, "auto"), table.parent, ["group"])
    assert [row.labels for row in groups] == [("7",), ("8",)]


def test_a_column_that_is_misspelt_is_told_from_the_others(table):
    table.write_text("photo,label\na.png,x\n")
    with pytest.raises(Problem, match=r"must have the columns phote,label.*did you mean 'photo'"):
        read(table, table.parent, columns={"file": "phote"})
