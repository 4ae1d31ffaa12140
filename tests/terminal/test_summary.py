"""The closing table and the opening lines: what a reader must find in them, whole enough to copy."""

import io

import pytest
from rich.console import Console

from imagelab.terminal.summary import StageRow, closing_table, in_brief, near, opening, stage_table

RESULTS = {
    "status": "finished",
    "predicts": "classes",
    "generates": False,  # room: generators
    "epochs": 20,
    "train_seconds": 7.123,
    "images_per_second": 3456.7,
    "parameters": 57834,
    "best": {"epoch": 13, "monitor": "val/accuracy", "value": 0.99312},
    "val": {"loss": 0.03, "accuracy": 0.99312},
    "test": {"accuracy": 0.99721, "ece": 0.0123},
}


def shown(renderable, width=80):
    out = io.StringIO()
    Console(file=out, width=width, soft_wrap=True).print(renderable)
    return out.getvalue()


def rows(text):
    return {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}


def test_the_closing_table_has_the_best_epoch_counted_from_one_and_both_splits(tmp_path):
    text = shown(closing_table(RESULTS, tmp_path))
    assert "best epoch  14 of 20 (val/accuracy 0.9931)" in text
    assert "trained     7.1 s, 3,457 images/s" in text
    assert "parameters  57,834" in text
    table = rows(text)
    assert table["accuracy"] == ["accuracy", "0.9931", "0.9972"]
    assert table["loss"] == ["loss", "0.0300"]
    assert table["ece"] == ["ece", "0.0123"]


def test_a_finished_run_is_evaluated_and_predicts_next(tmp_path):
    text = shown(closing_table(RESULTS, tmp_path))
    assert f"run folder  {tmp_path}\n" in text
    assert f"imagelab evaluate run={tmp_path}\n" in text
    assert f"imagelab predict run={tmp_path} source=" in text
    assert "resume" not in text


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_a_run_that_did_not_finish_says_how_to_go_on(tmp_path, status):
    text = shown(closing_table(RESULTS | {"status": status, "test": {}}, tmp_path))
    assert f"imagelab train resume={tmp_path}\n" in text
    assert "evaluate" not in text


def test_a_run_that_failed_before_its_first_epoch_has_a_table_too(tmp_path):
    text = shown(closing_table({"status": "failed", "seed": 0}, tmp_path))
    assert "failed" in text
    assert f"resume={tmp_path}" in text


def test_long_paths_are_whole_on_a_narrow_terminal(tmp_path):
    folder = tmp_path / ("x" * 200)
    assert f"imagelab evaluate run={folder}\n" in shown(closing_table(RESULTS, folder), width=40)


def test_the_checkpoint_is_named_once_it_is_there(tmp_path):
    assert "best.ckpt" not in shown(closing_table(RESULTS, tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert f"{tmp_path}/checkpoints/best.ckpt\n" in shown(closing_table(RESULTS, tmp_path))


def test_a_folder_below_the_current_one_is_named_as_one_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "logs" / "run") == "logs/run"
    assert near(tmp_path.parent / "other") == str(tmp_path.parent / "other")


def test_the_opening_lines_count_images_parameters_and_steps(tmp_path):
    text = shown(
        opening(
            labels=in_brief([f"class{i}" for i in range(10)], "classes"),
            counts={"train": 1294, "val": 144, "test": 359},
            model="small_cnn",
            parameters=57834,
            device="cpu",
            batch_sizes=[128] * 20,
            epochs=1,
            steps=1010,
            lr=0.02,
            lr_note="0.01 scaled to the batch",
            folder=tmp_path,
        )
    )
    assert "10 classes (class0, class1, class2, class3, class4, class5, …)" in text
    assert "train 1,294, val 144, test 359" in text
    assert "small_cnn, 57,834 parameters" in text
    assert "1 epoch, 1,010 steps of 128 images on cpu" in text
    assert "0.02 (0.01 scaled to the batch)" in text
    assert str(tmp_path) in text


def test_the_stages_are_listed_with_their_rates_and_the_epoch_counted_from_one():
    stages = [
        StageRow("stem", 9408, 0.0, None),
        StageRow("layer4", 8393728, 0.0005, 2),
        StageRow("head", 1026, 0.001, 0),
    ]
    table = rows(shown(stage_table(stages)))
    assert table["stem"] == ["stem", "9,408", "0", "never"]
    assert table["layer4"] == ["layer4", "8,393,728", "0.0005", "3"]
    assert table["head"] == ["head", "1,026", "0.001", "1"]
