from pathlib import Path

import pytest

from imagelab.data.celeba import CelebA
from imagelab.data.files import Files
from imagelab.problem import Problem


def test_attributes_and_splits_are_those_of_its_tables(tmp_path):
    folder = tmp_path / "celeba"
    folder.mkdir()
    rows = ["000001.jpg -1  1", "000002.jpg  1  1", "000003.jpg  1 -1", "000004.jpg -1 -1"]
    (folder / "list_attr_celeba.txt").write_text("4\nSmiling Eyeglasses\n" + "\n".join(rows) + "\n")
    parts = ["000001.jpg 0", "000002.jpg 2", "000003.jpg 0", "000004.jpg 1"]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    source = CelebA(root=str(tmp_path), download=False, max_pixels=10**6)
    assert source.classes == ["Smiling", "Eyeglasses"]
    train = source.splits["train"]
    assert isinstance(train, Files)
    assert [Path(path).name for path in train.paths] == ["000001.jpg", "000003.jpg"]
    assert train.labels.tolist() == [[False, True], [True, False]]
    assert source.splits["val"].labels.tolist() == [[False, False]]
    assert source.splits["test"].labels.tolist() == [[True, True]]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(
        Problem, match=r"CelebA is not in .*celeba; set data\.download=true, or data\.root=FOLDER"
    ):
        CelebA(root=str(tmp_path), download=False, max_pixels=10**6)
