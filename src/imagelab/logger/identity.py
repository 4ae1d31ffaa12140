"""Choose the ID of a run on a tracking server: drawn once, kept in the run's folder, found by resume."""

import secrets
from pathlib import Path


def run_id(folder: Path) -> str:
    """The id kept in `folder`/run_id, drawn now where there is none.

    Not a function of the folder's path: a run deleted and started again in the same place is another run.
    """
    kept = folder / "run_id"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(secrets.token_hex(4) + "\n", encoding="utf-8")
    return kept.read_text(encoding="utf-8").strip()
