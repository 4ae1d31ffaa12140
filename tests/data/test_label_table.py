import numpy as np
import pytest

from imagelab.problem import Problem
from tests.data.test_folder import folder
from tests.inspection.bad_files import encoded, scene

pytestmark = pytest.mark.usefixtures("own_cache")


def written(root, text, names=("a", "b", "c", "d")):
    for place, name in enumerate(names):
        (root / f"{name}.png").write_bytes(encoded(scene(place), "PNG"))
    (root / "labels.csv").write_text(text)
    return root


def test_values_are_read_from_columns_in_the_order_of_the_table(tmp_path):
    table = "file,age,weight,split\nb.png,30,1e1,train\na.png,-2.5, 20,train\nc.png,4,5,val\n"
    source = folder(written(tmp_path, table), takes="values", label=["weight", "age"])
    assert source.classes == ["weight", "age"]
    assert source.splits["train"].labels.dtype == np.float32
    assert source.splits["train"].labels.tolist() == [[10, 30], [20, -2.5]]
    assert [path[-5:] for path in source.splits["train"].paths] == ["b.png", "a.png"]
    assert source.splits["val"].labels.tolist() == [[5, 4]]


def test_folders_named_by_numbers_are_values(tmp_path, write_classes):
    source = folder(write_classes(tmp_path, 2, "23", "7.5"), takes="values", label="age")
    assert source.classes == ["age"]
    assert sorted(source.splits["train"].labels[:, 0].tolist()) == [7.5, 7.5, 23, 23]


def test_several_classes_are_read_from_a_list_in_one_cell(tmp_path):
    table = "file,label\na.png,red|dress\nb.png,\nc.png, blue | dress |\nd.png,red\n"
    source = folder(written(tmp_path, table), takes="multilabel")
    assert source.classes == ["blue", "dress", "red"]
    labels = source.splits["train"].labels
    assert labels.dtype == np.bool_
    assert labels.astype(int).tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_several_classes_are_read_from_a_column_each(tmp_path):
    table = "file,smiles,hat\na.png,1,-1\nb.png,Yes,\nc.png,0,true\nd.png,no,1.0\n"
    source = folder(written(tmp_path, table), takes="multilabel", label=["hat", "smiles"])
    assert source.classes == ["hat", "smiles"]
    assert source.splits["train"].labels.astype(int).tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("table", "takes", "label", "said"),
    [
        ("age\na.png,12\nb.png,nan\nc.png,x\n", "values", "age", r"numbers: nan \(line 3\), x \(line 4\)"),
        ("age\na.png,12\nb.png,\n", "values", "age", r"finite numbers: \(empty\) \(line 3\)"),
        ("age\na.png,12\n", "values", "label", r"columns file,label.*, got file,age; data.label=COLUMN"),
        ("hat,tie\na.png,1,2\n", "multilabel", ["hat", "tie"], r"neither yes nor no: 2 \(line 2\)"),
        ("label\na.png,hat\n", "multilabel", "label", r"only hat in the column label: add a second"),
        (
            "age\na.png,12\n",
            "class",
            ["age", "file"],
            r"data\.label: wants a column for one class .*got 2",
        ),
        ("age,split\na.png,12,val\n", "values", "age", r"has no pictures for train"),
    ],
)
def test_what_is_no_label_of_that_kind_is_named_with_its_line(tmp_path, table, takes, label, said):
    with pytest.raises(Problem, match=said):
        folder(written(tmp_path, f"file,{table}"), takes=takes, label=label)


def test_folders_of_words_have_neither_values_nor_several_classes(tmp_path, write_classes):
    root = write_classes(tmp_path, 1, "ant", "12")
    with pytest.raises(Problem, match=r"names are not numbers \(ant\): values need a labels.csv"):
        folder(root, takes="values")
    with pytest.raises(Problem, match=r"no table of labels: several classes per image need a labels.csv"):
        folder(root, takes="multilabel")
