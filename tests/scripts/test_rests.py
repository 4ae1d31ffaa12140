"""What is left when a room or a choice is out passes lint, types, a run and its tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.remove import count, main, tracked
from scripts.rooms import choices, without
from tests.checkout import checkout, git
from tests.scripts.test_remove import ROOT, THERE, dangling

CHOICES = [  # some of each group
    *("augment/color_jitter", "augment/mixup", "data/arrow", "data/digits_facts", "experiment/photos"),
    *("finetune/gradual", "finetune/lora", "launcher/joblib", "logger/mlflow", "loss/focal", "model/detnet"),
    *("model/timm", "optimizer/lbfgs", "schedule/cosine", "schedule/step", "sweep/bayes", "task/autoencoder"),
    *("task/multilabel", "task/regress", "task/simclr", "trainer/ddp_cpu", "trick/distill", "trick/ema"),
    "tta/flip",
]
GENERAL = [  # what shows at once whether something is missing, besides the tests that were edited
    *("tests/test_structure.py", "tests/test_documents.py", "tests/test_makefile.py", "tests/test_cli.py"),
    *("tests/test_package.py", "tests/test_words.py", "tests/test_notes.py", "tests/test_lazy_imports.py"),
    *("tests/scripts/test_docs.py", "tests/scripts/test_remove.py"),
]
RUN = ["trainer.max_epochs=1", "data.limit=100", "data.batch_size=10"]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files, also those that are not committed yet, in a repository with our .venv."""
    checkout(tmp_path)
    (tmp_path / ".git" / "info" / "exclude").write_text(".venv\n")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_changes_that_are_not_committed_are_safe(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "Makefile").write_text("sweep: x  ## mine\n")
    assert main(["trick/swa"], copy) == 2
    assert "not committed" in capsys.readouterr().err
    assert (copy / "configs" / "trick" / "swa.yaml").exists()


@pytest.mark.slow
def test_the_design_says_how_many_lines_rooms_and_the_rest_have() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    (*rooms, rest, whole) = [line.rsplit(maxsplit=1) for line in count(tracked(ROOT)).splitlines()]
    said = dict(re.findall(r"(?m)^\| `(\w+)` \| .* \| ([\d,]+) \|$", page))
    said |= dict(zip(("rest", "all"), *re.findall(r"has ([\d,]+)\sof ([\d,]+) lines", page), strict=True))
    for name, lines in [*rooms, ("rest", rest[1]), ("all", whole[1])]:
        assert number(said[name]) == pytest.approx(number(lines), rel=0.05), name


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.slow
@pytest.mark.parametrize("group", sorted(path.name for path in (ROOT / "configs").iterdir() if path.is_dir()))
def test_code_is_whole_without_each_choice_of_a_group(group: str, tmp_path: Path) -> None:
    files = tracked(ROOT)
    for choice in choices(files):
        if choice.startswith(f"{group}/"):
            left = without(files, choice)
            assert not dangling(files, left), choice
            for path, text in left.items():
                if path.endswith(".py") and text != files[path]:
                    (tmp_path / choice / path).parent.mkdir(parents=True, exist_ok=True)
                    (tmp_path / choice / path).write_text(text)
    whole = ["ruff", "check", "--isolated", "--no-cache", "--select", "E9,F82", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("room", [*THERE, *CHOICES])
def test_what_is_left_passes_lint_types_a_run_and_its_tests(room: str, copy: Path) -> None:
    python = [sys.executable, "-m"]
    succeed(copy, [*python, "scripts.remove", room])
    succeed(copy, [*python, "ruff", "check", "--no-cache"])
    succeed(copy, [*python, "ruff", "format", "--check", "--no-cache"])
    succeed(copy, [str(Path(sys.executable).parent / "codespell")])
    succeed(copy, [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"])
    succeed(copy, [*python, "basedpyright"])
    succeed(copy, [*python, "imagelab.train", *RUN])
    edited = git(copy, "diff", "--name-only", "--diff-filter=d", "--", "tests/*test_*.py").split()
    kept = [path for path in sorted({*GENERAL, *edited}) if (copy / path).exists()]
    succeed(copy, [*python, "pytest", "-p", "no:cacheprovider", "-m", "not slow and not gpu", *kept])


def succeed(folder: Path, words: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
