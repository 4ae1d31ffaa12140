"""CONTRIBUTING.md to the letter: its files are written into a copy of the project, its commands are run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = (
    "src",
    "configs",
    "tests",
    "scripts",
    "benchmarks",
    "docs",
    "pyproject.toml",
    "CONTRIBUTING.md",
    "LICENSE",
)

# One process runs all commands: what it imports takes longer than they do.
DRIVER = """
import shlex, sys
import pytest
from imagelab import cli

for line in sys.stdin.read().splitlines():
    sys.argv = shlex.split(line)
    print("$", line, flush=True)
    if sys.argv[0] == "pytest":
        code = pytest.main(sys.argv[1:])
    else:
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code
    if code:
        sys.exit(f"exit status {code}: {line}")
"""


def files(text: str) -> dict[str, str]:
    """The files that a text shows: a name alone on its line, then a block of code."""
    return dict(re.findall(r"^`([\w./]+)`\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def commands(text: str) -> list[str]:
    """The lines of its shell blocks."""
    return "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the files of the examples."""
    copy = tmp_path_factory.mktemp("contributing")
    for part in PARTS:
        source, ignore = ROOT / part, shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, copy / part, ignore=ignore) if source.is_dir() else shutil.copy(source, copy)
    for name, content in files((copy / "CONTRIBUTING.md").read_text(encoding="utf-8")).items():
        assert not (copy / name).exists(), f"{name} exists already: the example would overwrite it"
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content, encoding="utf-8")
    return copy


def test_the_text_shows_all_kinds_of_additions() -> None:
    shown = files((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    for group in ("data", "model", "trick"):
        assert any(name.startswith(f"src/imagelab/{group}/") for name in shown)
        assert any(name.startswith(f"configs/{group}/") for name in shown)
        assert any(name.startswith(f"tests/{group}/") for name in shown)


def test_the_examples_keep_the_style(followed: Path) -> None:
    shown = [name for name in files((followed / "CONTRIBUTING.md").read_text()) if name.endswith(".py")]
    ruff = str(Path(sys.executable).parent / "ruff")
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [ruff, *words, *shown], cwd=followed, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_pass_their_tests_and_their_commands_train(followed: Path) -> None:
    text = (followed / "CONTRIBUTING.md").read_text(encoding="utf-8")
    own = [name for name in files(text) if name.endswith(".py")]
    lines = [f"pytest -p no:cacheprovider tests/test_structure.py {' '.join(own)}", *commands(text)]
    environment = os.environ | {"PYTHONPATH": str(followed / "src")}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=followed,
        env=environment,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = sorted((followed / "logs").glob("train/*/results.json"))
    assert len(runs) == len(commands(text))
