"""Record where a result comes from: package versions and the commit of the checkout."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "imagelab",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "albumentations",
    "timm",
    "numpy",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any]:
    """The commit of this checkout and whether files differ from it; None outside of one."""
    here = Path(__file__).parent
    commit = _git(here, "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git(here, "status", "--porcelain")) if commit else None}


def _git(folder: Path, *words: str) -> str | None:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
