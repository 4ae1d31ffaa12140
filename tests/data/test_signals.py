"""Columns of a table become numbers near 0."""

import logging

import numpy as np
import pytest

from imagelab.data.folder import Folder
from imagelab.data.signals import encode, encode_rows, fit_columns, labels_of
from imagelab.problem import Problem
from tests.fitting import FOLDER

CELLS = np.array([["31.5", "b", "m"], ["47", "a", "f"], ["", "a", ""], ["62.25", "b", "f"]])
NAMES = ["age", "site", "sex"]


def test_numbers_are_standardised_by_mean_and_deviation_of_the_known_training_values() -> None:
    columns = fit_columns(NAMES, CELLS)
    known = np.array([31.5, 47, 62.25])
    found = encode(columns, CELLS, "train")
    assert found[[0, 1, 3], 0] == pytest.approx((known - known.mean()) / known.std(), abs=1e-6)
    other = encode(columns, np.array([["100", "a", "m"]]), "val")
    assert other[0, 0] == pytest.approx((100 - known.mean()) / known.std(), abs=1e-6)


def test_large_numbers_lose_no_digits_that_tell_them_apart() -> None:
    years = np.array([["2000000001"], ["2000000002"], ["2000000003"]])
    assert encode(fit_columns(["time"], years), years, "train")[:, 0] == pytest.approx(
        [-1.2247449, 0, 1.2247449]
    )


def test_what_is_missing_is_the_mean_of_a_number_and_no_value_of_a_category() -> None:
    columns = fit_columns(NAMES, CELLS)
    assert labels_of(columns) == ["age", "site=a", "site=b", "sex=f", "sex=m"]
    assert encode(columns, CELLS, "train")[2].tolist() == [0, 1, 0, 0, 0]
    assert encode_rows(columns, [{"age": None, "site": "b", "sex": "NA"}], "rows").tolist() == [
        [0, 0, 1, 0, 0]
    ]


def test_a_value_that_no_training_image_has_counts_as_missing_and_is_said_once(caplog) -> None:
    columns = fit_columns(NAMES, CELLS)
    with caplog.at_level(logging.WARNING):
        found = encode(columns, np.array([["30", "c", "f"], ["30", "c", "f"]]), "val")
    assert found[:, 1:3].tolist() == [[0, 0], [0, 0]]
    (record,) = caplog.records
    assert "site of val" in record.getMessage()
    assert record.getMessage().endswith(": c")


MISTAKES = {
    "a constant": (["age"], [["7"], ["7"]], "age is 7 in all training images"),
    "nothing": (["age"], [[""], ["nan"]], "age is empty in all training images"),
    "names": (["file"], [[f"image {k}"] for k in range(65)], "file has 65 different values in training"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_column_that_cannot_help_is_refused(mistake) -> None:
    names, cells, said = MISTAKES[mistake]
    with pytest.raises(Problem, match=said):
        fit_columns(names, np.array(cells))


def test_a_word_where_training_had_numbers_is_refused() -> None:
    with pytest.raises(Problem, match="age of val is 'old', and was a number in training"):
        encode(fit_columns(NAMES, CELLS), np.array([["old", "a", "f"]]), "val")
    with pytest.raises(Problem, match="wants age and site and sex of each image, got no sex"):
        encode_rows(fit_columns(NAMES, CELLS), [{"age": 3, "site": "a"}], "rows")


def table(folder, write_picture) -> str:
    """Files in another order than their names; returns the folder."""
    lines = ["file,label,age,split"]
    for place in (3, 1, 0, 2, 5, 4):
        write_picture(folder / f"{place}.png", seed=place)
        lines.append(f"{place}.png,{'ab'[place % 2]},{10 * place},{'train' if place < 4 else 'val'}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return str(folder)


def test_each_image_has_the_cells_of_its_own_row(tmp_path, write_picture, own_cache) -> None:
    source = Folder(root=table(tmp_path, write_picture), **FOLDER | {"signals": ["image", "age"]})
    for split, files in source.splits.items():
        names = [path.rpartition("/")[2] for path in files.paths.tolist()]
        ages = source.signals.cells[split][:, 0].tolist()
        assert [f"{int(age) // 10}.png" for age in ages] == names
    assert source.signals.image


REFUSED = {
    ("age", "age"): "wants each name once, got age, age",
    ("weight",): "must have the columns file,weight",
}


@pytest.mark.parametrize("words", REFUSED)
def test_words_without_a_column_are_refused(words, tmp_path, write_picture, own_cache) -> None:
    with pytest.raises(Problem, match=REFUSED[words]):
        Folder(root=table(tmp_path, write_picture), **FOLDER | {"signals": [*words]})


def test_folders_without_a_table_have_no_columns(tmp_path, write_classes, own_cache) -> None:
    root = write_classes(tmp_path, 2, "a", "b")
    with pytest.raises(Problem, match=r"data.signals: age must be columns of a table, and .* no labels.csv"):
        Folder(root=str(root), **FOLDER | {"signals": ["age"]})
