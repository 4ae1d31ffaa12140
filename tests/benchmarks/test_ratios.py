"""What was measured is kept with its origin, `make bench` says what got worse, and the README repeats it."""

import importlib
import json
import re
import sys
from types import ModuleType

import pytest

from tests.documents import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def ratios(tmp_path, monkeypatch) -> ModuleType:
    """The module, with a file of its own."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.delitem(sys.modules, "ratios", raising=False)
    module = importlib.import_module("ratios")
    monkeypatch.setattr(module, "FILE", tmp_path / "ratios.jsonl")
    monkeypatch.setattr(sys, "argv", ["/some/where/a.py", "--data", "/my/own/folder"])
    return module


def test_a_figure_is_kept_with_its_rounds_date_device_and_command(ratios):
    for values in ([2.0, 2.2, 2.1], [3.0, 3.1, 3.2]):  # the second replaces the first
        assert not ratios.settle("a", [ratios.Figure("b", values, "higher")], record=True)
    (line,) = ratios.kept()
    assert (line["value"], line["low"], line["high"]) == (3.1, 3.0, 3.2)
    assert line["command"] == "python a.py --data folder"  # no folder of this machine
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", line["date"])
    assert "cores" in line["device"]


@pytest.mark.parametrize(
    ("better", "values", "worse"),
    [
        ("higher", [1.96, 1.8], False),  # one round within the noise of what was kept
        ("higher", [1.9, 1.8], True),
        ("higher", [9.0], False),
        ("lower", [2.25, 3.0], False),
        ("lower", [2.3, 3.0], True),
        ("lower", [1.0], False),
    ],
)
def test_what_fell_by_more_than_the_noise_is_said(ratios, better, values, worse, capsys):
    ratios.settle("a", [ratios.Figure("b", [2.0, 2.1, 2.2], better)], record=True)
    assert ratios.settle("a", [ratios.Figure("b", values, better)], record=False) == worse
    assert ("WORSE than 2.1 times (2 to 2.2)" in capsys.readouterr().out) == worse
    assert ratios.kept()[0]["value"] == 2.1


def test_make_bench_names_scripts_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r'"(\w+)[^"]*"', "\n".join(re.findall(r"^BENCH.*$", makefile, re.M)))
    assert "loop_overhead" in named
    assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in named)


def kept() -> dict[tuple[str, str], float]:
    """The committed figures."""
    lines = (ROOT / "benchmarks" / "results" / "ratios.jsonl").read_text(encoding="utf-8").splitlines()
    return {(line["benchmark"], line["name"]): line["value"] for line in map(json.loads, lines)}


def row(name: str) -> str:
    """The line of a table in the README."""
    return next(line for line in README.splitlines() if line.startswith(f"| {name} |"))


def test_the_readme_states_the_figures_that_were_kept():
    values = kept()
    small, wide = values["loop_overhead", "small CNN"], values["loop_overhead", "wide CNN"]
    assert f"| {small:.2f} times a bare PyTorch loop at 15 ms per step, {wide:.2f} at " in row(
        "Loop overhead"
    )
    images, photos = (values["data_path", name] for name in ("CIFAR-10", "photos"))
    said = f"| {images:.1f} times the usual torchvision pipeline on CIFAR-10, {photos:.1f} times on photos"
    assert said in row("Data loading")  # room: augment/color_jitter, augment/crop, augment/flip
    found, of = map(int, re.findall(r"(\d+) of (\d+) planted", row("Preflight check"))[0])  # room: checks
    assert 100 * found / of == pytest.approx(values["check_zoo", "bugs"], abs=0.01)  # room: checks
