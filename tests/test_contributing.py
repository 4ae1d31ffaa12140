"""CONTRIBUTING.md to the letter: its files are written into a copy of the project, its commands are run.

That takes a while: by default the files stand beside the project in this process, and commands are only
checked (`tests/test_documents.py`).
"""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import test_structure
from tests.documents import ROOT, files, rows, typed, with_files

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = [line for line in typed(TEXT) if line.startswith("imagelab ")]
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
    for table, name, end in (
        ("metrics/table.py", "METRICS", "    Metric(name=LOSS"),
        ("config/rules/ranges.py", "RANGES", "}\nREQUIRED"),
    ):
        file = copy / "src" / "imagelab" / table
        before, last, after = file.read_text(encoding="utf-8").partition(end)
        more = "".join(f"    {row},\n" for row in rows(TEXT, name))
        file.write_text(f"{before}{more}{last}{after}", encoding="utf-8")
    return copy


def test_the_text_shows_all_kinds_of_additions() -> None:
    shown = files(TEXT)
    assert any(name.startswith("src/imagelab/metrics/") for name in shown)
    assert len(rows(TEXT, "METRICS")) == 1
    assert len(rows(TEXT, "RANGES")) == 2
    for group in ("data", "model", "trick", "loss"):
        assert any(name.startswith(f"src/imagelab/{group}/") for name in shown)
        assert any(name.startswith(f"configs/{group}/") for name in shown)
        assert any(name.startswith(f"tests/{group}/") for name in shown)


def test_the_examples_keep_the_style(followed: Path) -> None:
    shown = [name for name in files(TEXT) if name.endswith(".py")]
    ruff = str(Path(sys.executable).parent / "ruff")
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [ruff, *words, *shown], cwd=followed, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_keep_the_rules(followed: Path) -> None:
    shown = [followed / name for name in files(TEXT)]
    rules = test_structure
    code = [path for path in shown if path.is_relative_to(followed / "src")]
    options = [path for path in shown if path.suffix == ".yaml"]
    for rule in (rules.undocumented, rules.long_file, rules.long_functions):
        rules.none_of(rules.each(rule, code))
    for rule in (rules.uncommented, rules.late_package, rules.interpolating, rules.misplaced):
        rules.none_of(rules.each(rule, options))


def test_the_examples_pass_their_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = []
    with with_files(TEXT, tmp_path, monkeypatch):
        for file in sorted((tmp_path / "tests").rglob("test_*.py")):
            for name, test in runpy.run_path(str(file)).items():
                if name.startswith("test_"):
                    test()
                    passed.append(name)
    assert len(passed) == TEXT.count("\ndef test_")


@pytest.mark.slow
def test_the_examples_pass_all_rules_in_a_copy_and_their_commands_train(followed: Path) -> None:
    own = [name for name in files(TEXT) if name.endswith(".py")]
    lines = [f"pytest -p no:cacheprovider tests/test_structure.py {' '.join(own)}", *COMMANDS]
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
    assert len(runs) == len(COMMANDS)
