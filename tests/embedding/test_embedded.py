"""Tables of features come back as they were, whatever files are called; foreign ones are refused."""

import numpy as np
import pytest

from imagelab.embedding.embedded import Embedded, read_table, write_table
from imagelab.problem import Problem


def test_a_table_comes_back_with_every_bit(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    files = ["a/ü, b.png", "no\udcfftext.png"]
    there = Embedded(files=files, features=numbers, predicted=["ant", "bee"], network=7)
    write_table(tmp_path / "features.parquet", there)
    back = read_table(tmp_path / "features.parquet")
    assert (back.files, back.predicted, back.network) == (files, ["ant", "bee"], 7)
    np.testing.assert_array_equal(back.features, numbers)


def test_a_foreign_table_is_refused(tmp_path):
    (tmp_path / "other.parquet").write_bytes(b"no table")
    with pytest.raises(Problem, match="wants a table that imagelab embed wrote"):
        read_table(tmp_path / "other.parquet")
