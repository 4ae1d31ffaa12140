"""Give a run its ID on tracking servers: drawn once and kept in the run's folder, for resume."""

import secrets
from pathlib import Path


def run_id(folder: Path, given: str | None = None) -> str:
    """The ID in `folder`/run_id; if there is none, draw it.

    It does not depend on the folder's path: a run deleted and started again in the same place is another run.

    Args:
        folder: Where the ID is kept.
        given: ID that a server has already drawn for this run; it replaces the kept one.
    """
    kept = folder / "run_id"
    if given or not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text((given or secrets.token_hex(4)) + "\n", encoding="utf-8")
    return kept.read_text(encoding="utf-8").strip()
