"""A run whose config.yaml was edited is explained in sentences that name file and key."""

from pathlib import Path

import pytest

from imagelab.runs.edited import mistakes
from tests.in_process import imagelab


@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        "report",  # room: reports
    ],
)
def test_commands_name_file_key_and_value(digits, tmp_path, command):
    text = (digits / "config.yaml").read_text()
    (digits / "config.yaml").write_text(text.replace("batch_size: 128", "batch_size: many"))
    said = imagelab(command, f"run={digits}", folder=tmp_path)
    (digits / "config.yaml").write_text(text)
    assert said.status == 2
    assert (
        said.err == f"{digits / 'config.yaml'}: data.batch_size: wants a whole number or 'full', got 'many'\n"
    )


def test_what_is_no_run_has_no_mistakes(tmp_path):
    assert mistakes(None) == mistakes([str(tmp_path), Path("nowhere")]) == []
