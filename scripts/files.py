"""For pre-commit: end each text file with one newline, refuse large ones. `python scripts/files.py FILE…`."""

import sys
from pathlib import Path

LARGEST = 250_000  # bytes


def main(names: list[str]) -> int:
    """Mend what can be mended and say what was wrong; 1 when something was."""
    found = [sentence for name in names for sentence in mend(Path(name))]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


def mend(path: Path) -> list[str]:
    """What was wrong with a file, a sentence each."""
    content = path.read_bytes()
    if len(content) > LARGEST:
        return [f"{path}: {len(content) // 1000} kB, more than {LARGEST // 1000}; keep it out of git"]
    if not content.strip() or b"\0" in content:
        return []
    ended = content.rstrip() + b"\n"
    if content == ended:
        return []
    path.write_bytes(ended)
    return [f"{path}: did not end with one newline; mended"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
