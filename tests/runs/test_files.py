from pathlib import Path

import pytest
import yaml

from imagelab.config.compose import compose, plain
from imagelab.runs.files import read_config, write_config, write_text


@pytest.mark.parametrize("new", ["max_pixels", "label"])
def test_a_config_of_before_a_key_was_added_gets_its_value_of_today(tmp_path: Path, new: str) -> None:
    composed = compose("train", ["data=folder", "data.root=photos", "data.limit=30"])
    assert composed.cfg is not None
    cfg = plain(composed.cfg)
    old = cfg | {"data": {key: value for key, value in cfg["data"].items() if key != new}}
    write_config(old, tmp_path)
    assert new not in yaml.safe_load((tmp_path / "config.yaml").read_text())["data"]
    assert read_config(tmp_path) == cfg


def test_the_bytes_of_a_file_name_that_is_not_utf8_are_kept(tmp_path: Path) -> None:
    write_text(tmp_path / "table.csv", "file\nno\udcfftext.png\n")
    assert (tmp_path / "table.csv").read_bytes() == b"file\nno\xfftext.png\n"
