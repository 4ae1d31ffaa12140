import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.rename import KEPT, main, name, tracked
from tests.checkout import ROOT, checkout

OLD = name(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files, also those that are not committed yet, in a repository of their own."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is nothing to rename in")
    return checkout(tmp_path)


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder / "src", check=True, capture_output=True, text=True).stdout


def test_the_renamed_package_works_and_the_old_name_is_gone(copy: Path) -> None:
    assert main(["quokkas"], copy) == 0
    assert Path(run(copy, "-c", "import quokkas; print(quokkas.__file__)").strip()).is_relative_to(copy)
    assert "quokkas train" in run(copy, "-c", "from quokkas.cli import main; main()")
    assert name(copy) == "quokkas"
    left = [path for path in tracked(copy) if path.name not in KEPT and OLD in readable(path).lower()]
    assert not left
    assert (copy / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("longer", ["ox", "zebra_crossing_classifier"])
def test_the_renamed_project_passes_lint(longer: str, copy: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    assert main([longer], copy) == 0
    subprocess.run([*ruff, "check", "-q"], cwd=copy, check=True)
    subprocess.run([*ruff, "format", "--check", "-q"], cwd=copy, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("longer", ["ox", "zebra_crossing_classifier"])
def test_make_lint_passes_in_the_renamed_project(longer: str, copy: Path) -> None:
    assert main([longer], copy) == 0
    command = ["make", "lint", f"BIN={Path(sys.executable).parent}", "STAMP="]
    environment = os.environ | {"PYTHONPATH": str(copy / "src")}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def readable(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say the new name"),
        (["Quokkas"], "'Quokkas' cannot be imported"),
        (["class"], "'class' cannot be imported"),
        (["json"], "'json' is a module of Python's own"),
        ([OLD], f"src/{OLD} exists already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, ROOT) == 2
    assert sentence in capsys.readouterr().err


def test_changes_that_are_not_committed_are_safe(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "Makefile").write_text("mine")
    assert main(["quokkas"], copy) == 2
    assert "not committed" in capsys.readouterr().err
    assert (copy / "src" / OLD).is_dir()
