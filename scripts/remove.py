"""Take a room or a choice out of the project: `make remove ROOM=inspection`, `make remove ROOM=trick/ema`.

`scripts/rooms.py` says what belongs to it. `python -m scripts.remove --count` prints the lines of each room,
and of the rest without any.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.followers import chosen
from scripts.rooms import ROOMS, TESTED_ON, Files, choices, commands, there, without

# What is written again, records what was, or skips what is not there.
WRITTEN = (
    "CHANGELOG.md",
    "docs/evidence.md",
    "docs/tricks.md",
    "docs/schemas/",
    "benchmarks/claims.yaml",
    "benchmarks/results/",
    "tests/snapshots/",
)


def main(words: list[str], root: Path) -> int:
    """Remove, or say why not; the exit status."""
    files = tracked(root)
    if words == ["--count"]:
        print(count(files))
        return 0
    if problem := wrong(words, files, root):
        print(problem, file=sys.stderr)
        return 2
    left = without(files, words[0])
    write(root, files, left)
    finish(root, files, left)
    print(summary(words[0], files, left))
    return 0


def wrong(words: list[str], files: Files, root: Path) -> str | None:
    """Why these words name nothing that can come out, in a sentence."""
    if words == [TESTED_ON]:
        return f"ROOM={TESTED_ON} cannot come out: a fifth of all tests and the benchmarks run on it."
    if len(words) != 1 or words[0] not in [*there(files), *choices(files)]:
        said = words[0] if words else "nothing"
        return (
            f"ROOM={said} cannot come out. These rooms can: {', '.join(there(files))}. So can each choice "
            "that is not the default of its group, such as ROOM=trick/ema."
        )
    if _git(root, "status", "--porcelain"):
        return "There are changes that are not committed; commit them, so that the removal can be undone"
    return None


def tracked(root: Path) -> Files:
    """The text files that git tracks, and what is in them."""
    found: Files = {}
    for name in _git(root, "ls-files").splitlines():
        path = root / name
        if path.is_file():
            try:
                found[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return found


def write(root: Path, before: Files, after: Files) -> None:
    """Bring the folder from one state to the other, without folders that nothing is left in."""
    for name in before.keys() - after.keys():
        (root / name).unlink()
        for folder in (root / name).parents:
            if folder == root or any(path.name != "__pycache__" for path in folder.iterdir()):
                break
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
    for name, text in after.items():
        if before[name] != text:
            (root / name).write_text(text, encoding="utf-8")


def finish(root: Path, before: Files, after: Files) -> None:
    """Drop imports and variables that nothing uses any more, and generate anew what is generated."""
    python = [sys.executable, "-m"]
    changed = [name for name, text in after.items() if name.endswith(".py") and before[name] != text]
    unused = ["--fix", "--unsafe-fixes", "--select", "F401,F841,I001"]
    steps = [["ruff", "check", "--quiet", *unused, *changed]] if changed else []
    steps += [["ruff", "format", "--quiet", *changed]] if changed else []
    steps += [["scripts.docs"], ["scripts.schemas"], ["scripts.snapshots"]]
    steps += [["scripts.golden"]] if "scripts/golden.py" in changed else []
    for step in steps:
        subprocess.run([*python, *step], cwd=root, check=True, stdout=subprocess.DEVNULL)


def summary(room: str, before: Files, after: Files) -> str:
    """What has gone, and which lines still name it."""
    gone = sorted(before.keys() - after.keys())
    cut = sorted(name for name, text in after.items() if before[name] != text)
    lines = sum(map(_lines, before.values())) - sum(map(_lines, after.values()))
    return "\n".join(
        [
            f"{room} is out: {len(gone)} files removed, {len(cut)} changed, {lines:,} lines fewer.",
            *(f"  removed {name}" for name in gone),
            *(f"  changed {name}" for name in cut),
            *(f"  still names what has gone: {line}" for line in still_named(before, after)),
            "See `git diff`, then `make lint types test`; `git checkout .` brings all back.",
        ]
    )


def still_named(before: Files, after: Files) -> Iterator[str]:
    r"""The lines that name a choice or a command that has gone, such as sentences that advise it; edit them.

    >>> page = {"configs/trick/ema.yaml": "", "docs/a.md": "First.\nSet trick=[swa,ema]."}
    >>> list(still_named(page, {"docs/a.md": page["docs/a.md"]}))
    ['docs/a.md:2: Set trick=[swa,ema].']
    """
    gone = chosen(before.keys() - after.keys()).values()
    typed = [rf"\b{group}=\[?(?:\w+,)*{name}\b" for group, name in (choice.split("/") for choice in gone)]
    if "src/imagelab/cli.py" in after:
        typed += [rf"\b(?:imagelab) {word}\b" for word in commands(before).keys() - commands(after).keys()]
    if not typed:
        return
    named = re.compile("|".join(typed))
    for path, text in sorted(after.items()):
        if not path.startswith(WRITTEN):
            lines = enumerate(text.splitlines(), 1)
            yield from (f"{path}:{number}: {line.strip()}" for number, line in lines if named.search(line))


def count(files: Files) -> str:
    """The lines of code of each room with what only it needs, then those of the rest without any room."""
    rows = [(room, size(files) - size(without(files, room))) for room in ROOMS]
    rest = files
    for room in ROOMS:
        rest = without(rest, room)
    rows += [("the rest without them", size(rest)), ("all", size(files))]
    return "\n".join(f"{name:<24}{lines:>8,}" for name, lines in rows)


def size(files: Files) -> int:
    """The lines of code of the package."""
    return sum(
        _lines(text) for name, text in files.items() if name.startswith("src/") and name.endswith(".py")
    )


def _lines(text: str) -> int:
    return text.count("\n")


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).parents[1]))
