# room: checks
"""Which check finds which bug: `python -m benchmarks.check_zoo` writes the table of docs/howto/check.md.

Every bug is planted into two kinds of runs (`tests/zoo.py`), and all checks look at each. About ten minutes.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- zoo: made by python -m benchmarks.check_zoo -->", "<!-- end of zoo -->"
PAGE = ROOT / "docs" / "howto" / "check.md"


def main() -> None:
    """Print the table, and write it into the page."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    sys.path.insert(0, str(ROOT))
    table = "\n".join(lines())
    print(table)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def lines() -> Iterator[str]:
    """The lines of the table: bugs, the checks meant to find them, and what else fails."""
    from tests.zoo_bugs import BUGS

    yield "| planted bug | check | A | B | fails too |"
    yield "|---|---|---|---|---|"
    for name, bug in BUGS.items():
        yield f"| {name} | {bug.check} | {' | '.join(row(name))} |"


def row(name: str) -> list[str]:
    """What the check says in each kind of run, and the other checks that fail in both."""
    from tests.zoo import BLOBS, DIGITS, KINDS, statuses, subject
    from tests.zoo_bugs import BUGS

    bug, said = BUGS[name], []
    for words in KINDS.values():
        checked = subject([*(BLOBS if bug.colour else DIGITS), *words, *bug.words])
        bug.plant(checked)
        said.append(statuses(checked, fast=True))
        if bug.trains:
            said[-1] |= statuses(checked, fast=False, only=(bug.check,))
    failed = [{check for check, status in one.items() if status == "FAIL"} for one in said]
    others = [check for check in said[0] if check in failed[0] & failed[1] and check != bug.check]
    return [*(one[bug.check] for one in said), ", ".join(others)]


if __name__ == "__main__":
    main()
