"""Each benchmark runs, small, in a copy of its folder: what was measured for real stays as it is."""

import importlib
import json
import logging
import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from imagelab.terminal import screen
from tests.documents import ROOT
from tests.in_process import imagelab, untouched

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SCRIPTS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
PARTS = {
    "averaging_lines",
    "claim_data",
    "claims",
    "data_path_usual",
    "evidence_picture",
    "find_lr_page",
    "find_lr_tasks",
    "gan_lines",
    "gan_page",
    "many_runs",
    "ratios",
    "transfer_sets",
    "tricks_page",
}  # of other scripts, without a main of their own


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Folders as the benchmarks want them, with few images of noise, one brightness a class."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    folders = [
        (root / "cifar10" / part / name, n) for part, n in (("train", 30), ("test", 3)) for name in CIFAR10
    ]
    folders += [
        (root / "hymenoptera" / part / name, 6) for part in ("train", "val") for name in ("ants", "bees")
    ]
    for place, (folder, count) in enumerate(folders):
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 56, (32, 32, 3)) + 20 * (place % 10)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:04}.jpg")
    return root


class Inline:
    """A pool of processes that does all at once in this one, which has imported everything already."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable, *args: object) -> Future:
        future: Future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Imports a script from a copy of the folder; forgets it, and what it imports, at the end."""
    copy = shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    shutil.copytree(ROOT / "docs" / "howto", tmp_path / "docs" / "howto")
    monkeypatch.syspath_prepend(copy)
    monkeypatch.setenv("IMAGELAB_CACHE", str(tmp_path / "cache"))

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    monkeypatch.setattr(imported("many_runs"), "ProcessPoolExecutor", Inline)
    with untouched():
        yield imported
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of the script told these words; 1 means: measured, and slower than promised."""
    monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *words])
    with pytest.raises(SystemExit) as end:
        sys.exit(script.main())
    return int(end.value.code or 0)


def without(file: Path, taken: Callable[[str], bool]) -> list[str]:
    """Take lines out of what was measured; those that were taken."""
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if not taken(line)) + "\n")
    return [line for line in lines if taken(line)]


def rows(text: str) -> list[list[str]]:
    """The cells of the lines of all Markdown tables, heads left out."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    return [cells for i, cells in enumerate(found) if "---" not in found[min(i + 1, len(found) - 1)] + cells]


def test_each_script_has_a_test_here():
    text = Path(__file__).read_text(encoding="utf-8")
    tested = set(re.findall(r'script\("(\w+)"\)', text))
    assert tested == set(SCRIPTS) - PARTS


@pytest.mark.parametrize("only", ["CIFAR-10", "photos"])
def test_data_path_compares_both_sides(  # room: augment/color_jitter, augment/crop, augment/flip
    only, script, images, tmp_path, monkeypatch
):
    report = tmp_path / "report.md"
    words = [f"--data={images}", "--rounds=1", f"--only={only}", f"--report={report}"]
    assert run(script("data_path"), monkeypatch, *words) in (0, 1)
    assert "times as fast; at least" in report.read_text()
    sides = rows(report.read_text())
    assert {cells[0].partition(",")[0] for cells in sides} == {"ours", "usual"}
    assert len(sides) == 3
    assert all(float(cells[1].replace(",", "")) > 0 for cells in sides)


def test_loop_overhead_compares_both_sides(script, monkeypatch, capsys):
    overhead = script("loop_overhead")
    monkeypatch.setitem(overhead.CASES, "tiny MLP", ("mlp", 8, 16, 20, 2.6))
    assert run(overhead, monkeypatch, "--rounds=1", "--epochs=1", "--case=tiny MLP") in (0, 1)
    ((case, bare, ours, ratio, _),) = rows(capsys.readouterr().out)
    assert case == "tiny MLP"
    assert float(ratio) == pytest.approx(float(ours) / float(bare), rel=0.1)


def test_cifar10_speed_compares_both_sides(  # room: experiment/cifar10_fast
    script, monkeypatch, capsys
):
    speed = script("cifar10_speed")
    words = ["--count=512", "--width=2", "--epochs=2", "--rounds=1"]
    assert run(speed, monkeypatch, *words) in (0, 1)
    said = capsys.readouterr().out
    assert [cells[0] for cells in rows(said)] == ["bare", "ours"]
    (bare, ours), ratio = ([float(cells[1]) for cells in rows(said)], re.search(r"cpu: ([\d.]+) times", said))
    assert ratio
    assert float(ratio[1]) == pytest.approx(ours / bare, rel=0.1)


def test_cpu_time_compares_commands_with_their_imports(script, monkeypatch, capsys):  # room: checks
    cpu_time = script("cpu_time")
    monkeypatch.setattr(cpu_time, "IMPORTS", ["-c", "sum(range(10**6))"])
    monkeypatch.setattr(cpu_time, "COMMANDS", {"twice": ["-c", "sum(range(10**7))"]})
    assert run(cpu_time, monkeypatch, "--rounds=1") == 0
    assert float(re.findall(r"twice: ([\d.]+) times", capsys.readouterr().out)[0]) > 1.2


def test_watch_cost_measures_every_trick(script, tmp_path, monkeypatch):
    cost = script("watch_cost")
    monkeypatch.setattr(cost, "CASES", {"small_cnn": (["model=small_cnn", "model.widths=[4]"], 16, 16)})
    assert run(cost, monkeypatch, "--looks=1") in (0, 1)
    found = rows((tmp_path / "benchmarks" / "results" / "watch.md").read_text())
    assert [cells[1] for cells in found] == list(cost.TRICKS)
    assert all(float(cells[-1].rstrip("%")) >= 0 for cells in found)


def test_many_files_prints_what_files_cost(script, tmp_path, monkeypatch, capsys):
    many = script("many_files")

    def cpu_of(words, folder):
        began = time.process_time()
        assert imagelab("train", *words, folder=folder).status == 0
        return time.process_time() - began

    monkeypatch.setattr(many, "cpu_of", cpu_of)
    monkeypatch.setattr(many, "CLASSES", 2)
    monkeypatch.setattr(many, "LEAST", 20)
    monkeypatch.setattr(many, "ONE_EPOCH", [*many.ONE_EPOCH, "data.batch_size=8"])
    assert (
        run(many, monkeypatch, "--counts", "60", f"--folder={tmp_path}") == 0
    )  # so few that only memory counts
    ((files, first, _, again, _, _, memory),) = rows(capsys.readouterr().out)
    assert files == "60"
    assert float(first) > 0 < float(again)
    assert 16 < float(memory) <= 200


def test_packed_compares_both_sides(script, tmp_path, monkeypatch, capsys):  # room: data/arrow
    packed = script("packed")
    monkeypatch.setattr(packed, "CLASSES", 2)
    monkeypatch.setattr(packed, "DROP", tmp_path / "none" / "drop_caches")  # which would slow all others down
    assert run(packed, monkeypatch, "--count=100", f"--folder={tmp_path}") == 0
    said = capsys.readouterr().out
    assert "full: it may not be emptied here" in said
    assert [cells[0] for cells in rows(said)] == ["a file each", "packed"]
    assert all(float(number) > 0 for cells in rows(said) for number in cells[1:])


def test_check_zoo_measures_what_is_missing_and_writes_its_tables(
    script, tmp_path, monkeypatch
):  # room: checks
    zoo = script("check_zoo")
    from tests import zoo_blind, zoo_bugs, zoo_data, zoo_healthy, zoo_model

    name = "label out of range"
    monkeypatch.setattr(zoo_bugs, "BUGS", {name: zoo_bugs.BUGS[name]})
    for module, table in ((zoo_data, "DATA"), (zoo_model, "MODEL"), (zoo_blind, "BLIND")):
        monkeypatch.setattr(module, table, {})
    monkeypatch.setattr(zoo_healthy, "DIGITS", {})
    zoo.RESULTS.unlink(missing_ok=True)
    for _ in range(2):  # the second time, all is known
        assert run(zoo, monkeypatch) == 0
        page = (tmp_path / "docs" / "howto" / "check.md").read_text()
        text = page.partition(zoo.BEGIN)[2].partition(zoo.END)[0]
        assert rows(text)[0] == [name, zoo_bugs.BUGS[name].check, "FAIL"]
        assert "1 of 1 bugs are found" in text
    assert len(zoo.RESULTS.read_text().splitlines()) == 1


def test_tricks_does_the_runs_that_are_missing_and_writes_the_page(script, tmp_path, monkeypatch):
    tricks = script("tricks")
    page, claims = sys.modules["tricks_page"], sys.modules["claims"]
    (tmp_path / "docs" / "pictures").mkdir()
    page.KEPT.unlink(missing_ok=True)
    words = "data.limit=100 data.batch_size=50 trainer.max_epochs=1"
    claims.content()["regimes"] = {
        name: {
            "title": name,
            "words": f"{words} {'optimizer=sgd' if name == 'short' else ''}",
            "factors": factors,
        }
        for name, factors in (("short", [0.1, 1]), ("few", []))
    }
    claims.content()["claims"] = {
        "optimizer=momentum": {"regime": "short", "says": "faster"},
        "tta=flip": {"regime": "few", "says": "steadier", "evaluate": "tta=flip"},
    }
    said = f"--kept={tmp_path / 'kept'}", "--seeds=1"
    run(tricks, monkeypatch, *said, "--only=momentum")
    first = page.KEPT.read_text().splitlines()
    assert len(first) == 2 * (2 + 1)  # of each side two rates that are tried, and a run at the better one
    run(tricks, monkeypatch, *said)
    lines = page.KEPT.read_text().splitlines()
    assert lines[: len(first)] == first  # nothing is repeated
    assert [json.loads(line)["words"].rpartition("|")[2] for line in lines[len(first) :]] == [
        f"{claims.content()['base']} {words}",
        " tta=flip",
    ]
    assert {cells[0] for cells in rows(page.PAGE.read_text())} == {"`optimizer=momentum`", "`tta=flip`"}


def test_distill_compares_students_of_one_teacher(script, tmp_path, monkeypatch):  # room: trick/distill
    distill, results = script("distill"), tmp_path / "benchmarks" / "results"
    (results / "distill.csv").unlink(missing_ok=True)
    monkeypatch.setitem(distill.TEACHER, "trainer.max_epochs", "1")
    monkeypatch.setattr(distill, "TASKS", (distill.Task(50, 1),))
    told = []

    def accuracy(words, seed):
        told.append(words)
        return 0.6 + 0.1 * sum("distill" in key for key in words) - 0.2 * seed, 1.0

    monkeypatch.setattr("many_runs.run", accuracy)
    for _ in range(2):  # the second time, all is known
        assert run(distill, monkeypatch, "--seeds=2", f"--kept={tmp_path / 'kept'}") == 0
    teacher = str(tmp_path / "kept" / "teacher")
    assert sorted(one.get("trick.distill.teacher", "") for one in told) == ["", "", *[teacher] * 4]
    assert len([*(tmp_path / "kept" / "pool").iterdir()]) == 1295
    assert [cells[1:] for cells in rows((results / "distill.md").read_text())] == [
        ["alone", "50.0 ± 10.0", "", "2"],
        ["taught", "60.0 ± 10.0", "10.0 ± 0.0", "2"],
        ["taught, also on unlabelled pictures", "80.0 ± 10.0", "30.0 ± 0.0", "2"],
    ]


def test_transfer_small_does_the_run_that_is_missing_and_writes_the_table(
    script, images, tmp_path, monkeypatch
):
    transfer, results = script("transfer_small"), tmp_path / "benchmarks" / "results"
    monkeypatch.setattr(transfer, "COUNTS", {20: "1"})
    monkeypatch.setattr(transfer, "STRATEGIES", ["linear_probe"])
    monkeypatch.setitem(transfer.HELD_OUT, "val", 10)
    monkeypatch.setitem(transfer.PRETRAINING, "trainer.max_epochs", "1")
    taken = without(results / "transfer_small.csv", lambda line: line.startswith("20 linear_probe,0,"))
    run(transfer, monkeypatch, f"--data={images}", "--seeds=2", f"--kept={tmp_path / 'kept'}")
    assert len(taken) == 1
    assert (results / "transfer_small.csv").read_text().splitlines()[-1].startswith("20 linear_probe,0,")
    assert [cells[0] for cells in rows((results / "transfer_small.md").read_text())] == [
        "`scratch`",
        "`linear_probe`",
    ]
    assert (tmp_path / "kept" / "ten_classes" / "results.json").is_file()


def test_transfer_searches_rates_then_runs_other_seeds(  # room: model/efficientnet_lite0, schedule/cosine
    script, images, tmp_path, monkeypatch
):
    transfer, results = script("transfer"), tmp_path / "benchmarks" / "results"
    (results / "transfer.jsonl").unlink(missing_ok=True)
    for name, value in {"STRATEGIES": ["linear_probe"], "SEEDS": 2, "RATES": (0.001, 0.01)}.items():
        monkeypatch.setattr(transfer, name, value)
    monkeypatch.setitem(transfer.BASE, "data.size", "32")
    monkeypatch.setitem(transfer.BASE, "data.batch_size", "4")
    monkeypatch.setitem(transfer.EPOCHS, 10, 1)
    monkeypatch.setattr("transfer_sets.VAL", 2)
    words = [f"--data={images}", "--only=hymenoptera_10", f"--kept={tmp_path / 'kept'}"]
    assert run(transfer, monkeypatch, *words, "--minutes=0") == 1
    assert not (results / "transfer.jsonl").exists()
    assert run(transfer, monkeypatch, *words) == 0
    lines = [json.loads(line) for line in (results / "transfer.jsonl").read_text().splitlines()]
    assert [(one["rate"], one["seed"]) for one in lines[:2]] == [(0.001, 0), (0.01, 0)]
    better = 0.01 if lines[1]["val"] > lines[0]["val"] else 0.001
    assert [(one["rate"], one["seed"]) for one in lines[2:]] == [(better, 1)]
    ((name, cell),) = rows((results / "transfer.md").read_text())
    assert (name, "±" in cell) == ("`linear_probe`", True)
    listed = (tmp_path / "kept" / "hymenoptera_10_1.csv").read_text()
    assert listed != (tmp_path / "kept" / "hymenoptera_10_0.csv").read_text()
    assert sorted(re.findall(r",(\w+)$", listed, re.MULTILINE)) == [
        "split",
        *["test"] * 12,
        *["train"] * 8,
        *["val"] * 4,
    ]


def test_find_lr_does_what_is_missing_and_writes_the_table(  # room: finders, schedule/cosine
    script, images, tmp_path, monkeypatch
):
    find_lr, results = script("find_lr"), tmp_path / "benchmarks" / "results"

    def taken(line: str) -> bool:
        one = json.loads(line)
        key = (one["task"], one["seed"], one["rate"])
        return key in (("digits, MLP, adamw", 0, 0.01), ("photos, CNN, adamw", 10, None))

    words, ends = find_lr.TASKS["digits, MLP, adamw"]
    monkeypatch.setitem(find_lr.TASKS, "digits, MLP, adamw", ([*words, "trainer.max_epochs=1"], ends))
    lost = [json.loads(line) for line in without(results / "find_lr.jsonl", taken)]
    run(find_lr, monkeypatch, f"--data={images / 'cifar10'}")
    again = [json.loads(line) for line in (results / "find_lr.jsonl").read_text().splitlines()[-2:]]
    assert [one["task"] for one in again] == [one["task"] for one in lost]
    assert "| suggested by find_lr, run |" in (results / "find_lr.md").read_text()


def test_averaging_trains_evaluates_and_writes_the_table(script, images, tmp_path, monkeypatch):
    averaging, results = script("averaging"), tmp_path / "benchmarks" / "results"
    (results / "averaging.jsonl").unlink()
    monkeypatch.setattr(averaging, "TRAIN", 8)
    monkeypatch.setattr(averaging, "VAL", 2)
    for key, value in {"trainer.max_epochs": "1", "data.size": "16", "model.width": "4"}.items():
        monkeypatch.setitem(averaging.BASE, key, value)
    one = [
        line._replace(seeds=line.seeds[:1])
        for line in averaging.LINES
        if line.name in ("single", "`tta=flip`")
    ]
    monkeypatch.setattr(averaging, "LINES", one)
    run(averaging, monkeypatch, f"--data={images / 'cifar10'}", f"--kept={tmp_path / 'kept'}")
    found = rows((results / "averaging.md").read_text())
    assert [cells[0] for cells in found] == ["single", "`tta=flip`"]
    assert all(0 <= float(cells[2]) <= 100 for cells in found)


# room: detection, experiment/bccd, experiment/bccd_scratch
def test_detection_does_each_run_once_and_writes_its_table(script, tmp_path, monkeypatch):
    detection = script("detection")
    told = []

    def finish(words, seed, folder):
        told.append((words["experiment"], words["data.root"], seed))
        test = {"ap50": 0.8 if seed else 0.7, "ap": 0.4, "ap75": 0.5, "ap_medium": 0.25, "ap_large": 0.125}
        return {"steps": 102, "test": test}

    monkeypatch.setattr(detection, "finish", finish)
    detection.KEPT.unlink(missing_ok=True)
    for _ in range(2):  # the second time, all is known
        assert run(detection, monkeypatch, f"--data={tmp_path}", "--seeds=2", "--only=ImageNet") == 0
    assert told == [("bccd", str(tmp_path), 0), ("bccd", str(tmp_path), 1)]
    (cells,) = (row for row in rows(detection.TABLE.read_text()) if row[0] == "ImageNet weights")
    assert cells[1:5] == ["102", "75.0 ± 5.0", "40.0 ± 0.0", "50.0 ± 0.0"]
    assert cells[5] == "-"  # no box of that size
    assert cells[-1] == "2 of 2"
    assert f"Not finished: 2 of {2 * len(detection.RUNS)} runs" in detection.TABLE.read_text()
    assert str(tmp_path) not in detection.KEPT.read_text()


# end
@pytest.mark.slow
def test_gan_measures_what_is_missing_and_writes_its_tables(  # room: generators
    script, tmp_path, monkeypatch
):
    gan = script("gan")
    lines = gan.gan_lines
    monkeypatch.setitem(lines.GAN, "trainer.max_epochs", "1")
    monkeypatch.setattr(lines, "MADE", 20)
    monkeypatch.setattr(lines, "COUNTS", (10,))
    monkeypatch.setattr(lines, "GAN_STEPS", 3)
    monkeypatch.setattr(lines, "CLASSIFIER_STEPS", 7)
    for _ in range(2):  # the second time, all is known
        words = ["--seeds=1", "--only=plain,no labels,60% generated"]
        assert run(gan, monkeypatch, *words) == 0
    new = [
        json.loads(line)
        for line in gan.KEPT.read_text().splitlines()
        if "60% generated" in json.loads(line)["command"]
    ]
    plain, unlabelled, few = new
    assert 0 <= plain["asked"] <= 1
    assert "asked" not in unlabelled  # nothing was asked for
    assert few["steps"] == 7  # of 32 of 250 images, 150 of them generated; 100 are 3 steps an epoch
    found = {cells[0]: cells for cells in rows(gan.TABLE.read_text())}
    assert found["plain"][1] == f"{100 * plain['asked']:.1f}"
    assert found["no labels"][1] == "-"
    assert found["60% generated"][1] == f"{100 * few['accuracy']:.1f}"
    assert f"begun: 3 of {len(lines.TRICKS) + len(lines.CLASSIFIERS)} runs" in gan.TABLE.read_text()


def test_inspect_cifar10_measures_the_command(  # room: inspection
    script, images, tmp_path, monkeypatch, capsys
):
    copy = images / "cifar10" / "test" / "cat" / "copy.jpg"
    shutil.copy(images / "cifar10" / "train" / "cat" / "0000.jpg", copy)
    known = tmp_path / "known.csv"
    known.write_text("test,train\ntest/cat/copy.jpg,train/cat/0000.jpg\n")
    monkeypatch.setattr(sys, "argv", ["inspect_cifar10.py", str(images / "cifar10"), str(known)])
    script("inspect_cifar10").main()
    copy.unlink()
    found = re.fullmatch(
        r"([\d.]+) CPU seconds, (\d+) MB, \d+ pairs flagged\n1 of 1 known pairs among them\n"
        r"1 of their 1 test images\n(.*\n){2}",
        capsys.readouterr().out,
    )
    assert found
    assert float(found[1]) > 0.5
    assert int(found[2]) > 50


def test_a_script_that_hushes_the_screen_leaves_it_as_it_was(script, capsys):
    with untouched():
        screen.hush()
        screen.say("nobody hears this")
    screen.say("aloud again")
    assert capsys.readouterr().out == "aloud again\n"
    assert logging.root.manager.disable == logging.NOTSET
