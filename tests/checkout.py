"""Copies of the project in a git repository of their own, to rename or to cut down."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def checkout(folder: Path) -> Path:
    """Copy the project's files, also those that are not committed yet, into a new repository."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for path in [ROOT / line for line in listed if (ROOT / line).is_file()]:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a copy", "--no-verify")
    return folder


def git(folder: Path, *words: str) -> str:
    """What a command of git prints."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout
