"""Give the package another name: `make rename NAME=birds`.

Moves src/<old> and the plugin for Hydra, and replaces the name, in small, capital and title letters, in every
file that git tracks but the licence, which says whose work this is. Then `make lint` passes as before.
"""

import keyword
import re
import subprocess
import sys
import tomllib
from pathlib import Path

KEPT = ("LICENSE",)
PLUGINS = "src/hydra_plugins"  # room: sweep


def main(words: list[str], root: Path) -> int:
    """Rename, or say why not; the exit status."""
    problem = wrong(words, root)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    old, new = name(root), words[0]
    _git(root, "mv", f"src/{old}", f"src/{new}")
    _git(root, "mv", f"{PLUGINS}/{old}.py", f"{PLUGINS}/{new}.py")  # room: sweep
    changed = [path for path in tracked(root) if path.name not in KEPT and replace(path, old, new)]
    tidy(root)
    print(f"{old} is now {new}: src/{new}, {len(changed)} files changed. See `git diff`, then `make test`.")
    return 0


def wrong(words: list[str], root: Path) -> str | None:
    """Why these words are no new name, in a sentence."""
    if len(words) != 1:
        return "Say the new name: make rename NAME=birds"
    new = words[0]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", new) or keyword.iskeyword(new):
        return (
            f"{new!r} cannot be imported; a name is small letters, digits and underscores, as in NAME=birds"
        )
    if new in sys.stdlib_module_names:
        return f"{new!r} is a module of Python's own; take a name that is free"
    if (root / "src" / new).exists():
        return f"src/{new} exists already; take a name that is free"
    if _git(root, "status", "--porcelain"):
        return "There are changes that are not committed; commit them, so that the renaming can be undone"
    return None


def name(root: Path) -> str:
    """The name that the package has now."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])


def tracked(root: Path) -> list[Path]:
    """The files that git tracks."""
    return [root / line for line in _git(root, "ls-files").splitlines() if (root / line).is_file()]


def replace(path: Path, old: str, new: str) -> bool:
    """Replace a name in a text file; whether it stood there."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    path.write_text(renamed(text, old, new), encoding="utf-8")
    return renamed(text, old, new) != text


def renamed(text: str, old: str, new: str) -> str:
    """A text with another name in it.

    >>> renamed("import lab; Lab, LAB_RUN, not label or collaborate", "lab", "birds")
    'import birds; Birds, BIRDS_RUN, not label or collaborate'
    """
    for before, after in ((old, new), (old.upper(), new.upper()), (old.capitalize(), new.capitalize())):
        text = re.sub(rf"(?<![A-Za-z0-9]){before}(?![A-Za-z0-9])", after, text)
    return text


def tidy(root: Path) -> None:
    """Sort imports and lay lines out again; words that a longer name pushes beyond the limit may stay."""
    ruff = [sys.executable, "-m", "ruff"]
    for words in (
        ["check", "--select", "I", "--fix"],
        ["format"],
        ["check", "--select", "E501", "--add-noqa"],
    ):
        subprocess.run([*ruff, *words, "--quiet"], cwd=root, check=True)


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).parents[1]))
