"""Words that no file of the project may hold; each finding names file and line."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNWANTED = r"issue #|\b(TODO|FIXME|XXX|HACK)\b|/(work|home|root)/\w|\bcfg\.get\("
REGISTRIES = r"pypi\.org|pythonhosted|npmjs|file:///"


def unwanted(path: Path, pattern: str) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    found = ((number, re.search(pattern, line)) for number, line in enumerate(lines, 1))
    return [f"{path}:{number}: {match.group()!r} does not belong here" for number, match in found if match]


@cache
def project_files() -> list[Path]:
    """All files that git has or would take, but for this one."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path != Path(__file__)]


@pytest.mark.parametrize(
    "pattern", [UNWANTED, REGISTRIES], ids=["unfinished or private", "a package registry"]
)
def test_no_file_holds(pattern: str) -> None:
    found = [finding for path in project_files() for finding in unwanted(path, pattern)]
    assert not found, "\n" + "\n".join(found)


def test_the_lock_that_records_registries_stays_out() -> None:
    assert "uv.lock" not in [path.name for path in project_files()]


def test_an_unwanted_word_is_found_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("fine\n# TODO\nfile:///x\n")
    assert ":2: 'TODO'" in unwanted(tmp_path / "a.py", UNWANTED)[0]
    assert ":3: 'file:///'" in unwanted(tmp_path / "a.py", REGISTRIES)[0]
