"""`make` installs once, again only when what is installed changes, and names no program that is not there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALLING = "Installing the locked packages"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *words: str) -> str:
    """What make prints; with -n, what it would do."""
    done = subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def install(folder: Path) -> None:
    """Leave behind what an installation does."""
    stamp = re.findall(r"^touch (.+)$", make(folder, "-n", "setup"), re.MULTILINE)[0]
    (folder / stamp).parent.mkdir(exist_ok=True)
    (folder / stamp).touch()


@pytest.mark.parametrize("target", ["train", "test", "lint", "types"])
def test_the_first_call_installs_and_the_second_does_not(copy: Path, target: str) -> None:
    assert INSTALLING in make(copy, "-n", target)
    install(copy)
    assert INSTALLING not in make(copy, "-n", target)


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_other_contents_install_anew_and_other_times_do_not(copy: Path, name: str) -> None:
    install(copy)
    (copy / name).touch()
    assert INSTALLING not in make(copy, "-n", "train")
    (copy / name).write_text((copy / name).read_text() + "\n# another\n")
    assert INSTALLING in make(copy, "-n", "train")


def test_options_go_along(copy: Path) -> None:
    assert "imagelab train data=cifar10 seed=1" in make(copy, "-n", "train", "ARGS=data=cifar10 seed=1")


def test_a_python_that_is_too_old_is_named(copy: Path) -> None:
    (copy / "old").write_text("#!/bin/sh\nexit 1\n")
    (copy / "old").chmod(0o755)
    assert "./old is not Python 3.11 or newer" in make(copy, "setup", "PYTHON=./old")
    assert not (copy / ".venv").exists()


def test_the_list_of_targets_is_complete_and_every_program_is_there() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split()
    listed = re.findall(r"^  make ([\w-]+)", make(ROOT, "help"), re.MULTILINE)
    assert sorted(phony) == sorted(listed)
    assert not [
        name for name in re.findall(r"((?:scripts|benchmarks)/\w+\.py)", text) if not (ROOT / name).exists()
    ]
