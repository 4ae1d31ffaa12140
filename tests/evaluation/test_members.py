"""Members of an ensemble: runs, checkpoints, snapshots, sweeps; with the same classes and images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from imagelab.evaluation.members import aligned, asked, other_images, titles
from imagelab.problem import Problem
from tests.evaluation.subjects import member, preprocess, small_net


def run_folder(folder: Path, *checkpoints: str, status: str = "finished") -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / "results.json").write_text(json.dumps({"status": status}))
    for name in checkpoints:
        (folder / "checkpoints" / f"{name}.ckpt").touch()
    return folder


def words(**more) -> dict:
    none = dict.fromkeys(["run", "sweep", "members", "snapshots"])
    return none | {"checkpoint": "best"} | more


def test_members_are_the_checkpoints_of_each_run_in_order_without_duplicates(tmp_path):
    names = [f"snapshot_{number}" for number in (1, 2, 10)]
    a, b = (run_folder(tmp_path / name, "best", "last", *names) for name in "ab")
    both = [str(a), str(b)]
    assert asked(words(run=str(a))) == [(a, "best")]
    assert asked(words(run=both, checkpoint="last")) == [(a, "last"), (b, "last")]
    assert asked(words(run=both, members=["best", "last"])) == [
        (run, name) for run in (a, b) for name in ("best", "last")
    ]
    assert asked(words(run=str(a), members="snapshots")) == [(a, name) for name in names]
    assert asked(words(run=str(a), members=["snapshots", "last"], snapshots=2)) == [
        (a, "snapshot_2"),
        (a, "snapshot_10"),
        (a, "last"),
    ]
    mixed = [str(a), str(b / "checkpoints" / "snapshot_2.ckpt"), str(a)]
    assert asked(words(run=mixed)) == [(a, "best"), (b, "snapshot_2")]


def test_a_sweep_is_its_finished_runs_in_the_order_of_their_numbers(tmp_path, capsys):
    for number in (10, 9, 0):
        run_folder(tmp_path / "sweep" / str(number))
    run_folder(tmp_path / "sweep" / "11", status="failed")
    found = asked(words(sweep=str(tmp_path / "sweep")))
    assert found == [(tmp_path / "sweep" / name, "best") for name in ("0", "9", "10")]
    assert (
        capsys.readouterr().out == f"Left out because they are not finished: {tmp_path / 'sweep' / '11'}.\n"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, r"run: wants one of run=FOLDER .* and sweep=FOLDER, got neither"),
        ({"run": "a", "sweep": "b"}, "got both"),
        ({"run": []}, "run: the list is empty"),
        ({"sweep": "nowhere"}, "sweep=nowhere: there is no such folder"),
        ({"sweep": "."}, "there is no finished run below it"),
        ({"run": "a/checkpoints/x.ckpt"}, "run=a is not the folder of a run"),
        ({"run": "here", "members": "snapshots"}, r"run=here has none; .*trick=\[snapshots\]"),
    ],
)
def test_missing_runs_and_checkpoints_are_refused(given, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_folder(tmp_path / "here", status="stopped")
    with pytest.raises(Problem, match=sentence):
        asked(words(**given))


def test_other_classes_are_named_with_the_run_that_has_them():
    with pytest.raises(Problem) as refusal:
        aligned(["ant", "bee"], ["bee", "cat", "dog"], Path("a"), Path("b"))
    assert str(refusal.value) == (
        "run: the members must have the same classes, but a and b differ: ant only in a, cat only in b, "
        "dog only in b"
    )


def some_run(name: str, **data):
    one = member(small_net(0), preprocess(16))
    return replace(one, folder=Path(name), cfg={"data": {"_target_": "Digits", "limit": None} | data})


def test_images_that_another_member_may_have_trained_on_cause_a_note():
    first, harmless = some_run("a"), some_run("b", batch_size=4, val_fraction=0.2, fold=1)
    less = some_run("c", limit=100)
    assert other_images([first, harmless, less], "test") == [
        "c differs from a in data.limit: the test images are those of a, and the other may have "
        "trained on some of them."
    ]
    assert [note.split(":")[0] for note in other_images([first, harmless], "val")] == [
        "b differs from a in data.fold, data.val_fraction"
    ]


def test_the_same_classes_in_another_order_are_the_same_images():
    first, turned = some_run("a", classes=["cat", "dog"]), some_run("b", classes=["dog", "cat"])
    assert other_images([first, turned], "test") == []
    assert len(other_images([first, some_run("c", classes=["dog", "ant"])], "test")) == 1
    few = [some_run(name, classes=names, limit=9) for name, names in (("a", ["x", "y"]), ("b", ["y", "x"]))]
    assert (
        len(other_images(few, "test")) == 1
    )  # a limit keeps other images if the labels are numbered otherwise


def test_titles_show_what_distinguishes_members():
    a, b, elsewhere = (some_run(name) for name in ("logs/a", "logs/b", "other/a"))
    last = replace(a, checkpoint="last")
    assert titles([a, b]) == ["a", "b"]
    assert titles([a, last]) == ["best", "last"]
    assert titles([a, last, b]) == ["a best", "a last", "b best"]
    assert titles([a, elsewhere]) == ["logs/a", "other/a"]
