# room: checks
"""What `check` finds, and what it says of sound runs: writes the tables of docs/howto/check.md.

python -m benchmarks.check_zoo [CIFAR10 [ZOO]]

Bugs go one by one into a run on the digits and into one on 2,000 images of CIFAR-10, a folder of
train/<class>/, and so do 20 that were written down before the checks had been read; 40 sound runs follow.
Each result is a line of results/check_zoo.jsonl, and what is there already is not measured again. ZOO: bugs,
blind or healthy, to measure only that.
"""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # started as a module, for the tables of tests/
from ratios import Figure, settle

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "check_zoo.jsonl"
BEGIN, END = "<!-- zoo: made by python -m benchmarks.check_zoo -->", "<!-- end of zoo -->"
PAGE = ROOT / "docs" / "howto" / "check.md"
SLOW = ("larger sample", "larger network")  # they only warn

Row = dict[str, Any]


def main() -> None:
    """Measure what is missing, and write the tables into the page."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    sys.path.insert(0, str(ROOT))
    folder, only = (*(word for word in sys.argv[1:] if word != "--record"), None, None)[:2]
    known = {_key(row): row for row in _read()}
    for row, measure in planned(folder):
        if _key(row) not in known and only in (None, row["zoo"]):
            known[_key(row)] = row | measure()
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(known[_key(row)]) + "\n")
            print(known[_key(row)], flush=True)
    text = "\n".join(tables(_read()))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    settle("check_zoo", list(figures(_read())), record="--record" in sys.argv)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def planned(folder: str | None) -> Iterator[tuple[Row, Callable[[], Row]]]:
    """All that is to be measured: what a row begins with, and what completes it."""
    from tests import zoo_blind, zoo_bugs, zoo_data, zoo_healthy, zoo_model

    for setting, words in settings(folder).items():
        for name, bug in (zoo_bugs.BUGS | zoo_data.DATA | zoo_model.MODEL).items():
            if setting == "digits" or not bug.digits:
                yield {"zoo": "bugs", "setting": setting, "name": name}, partial(found, bug, words)
        for name in zoo_blind.BLIND:
            yield {"zoo": "blind", "setting": setting, "name": name}, partial(found_blindly, name, words)
    photos = settings(folder).get("CIFAR-10", ())[:3]
    for setting, words, runs in (
        ("digits", ("data=digits",), zoo_healthy.DIGITS),
        ("CIFAR-10", photos, zoo_healthy.PHOTOS if photos else {}),
    ):
        for name, own in runs.items():
            start = () if any(word.startswith("data=") for word in own) else words
            yield {"zoo": "healthy", "setting": setting, "name": name}, partial(says, [*start, *own])


def settings(folder: str | None) -> dict[str, tuple[str, ...]]:
    """The runs into which bugs are planted, in words of the command line."""
    from tests.zoo import DIGITS, KINDS

    found = {"digits": (*DIGITS, *KINDS["A"])}
    if folder is not None:
        cifar10 = ("data=folder", f"data.root={folder}", "data.limit=2000", "data.size=32", *DIGITS[1:])
        found["CIFAR-10"] = (*cifar10, *(word for word in KINDS["B"] if "limit" not in word))
    return found


def found(bug: Any, words: tuple[str, ...]) -> Row:
    """What the check meant for a bug says of it."""
    from tests.zoo import BLOBS, KINDS, statuses, subject

    start = (*BLOBS, *KINDS["A"]) if bug.colour and words[0] == "data=digits" else words
    checked = subject([*start, *bug.words])
    bug.plant(checked)
    status = statuses(checked, fast=not bug.trains, only=(bug.check,))[bug.check]
    return {
        "check": bug.check,
        "status": status,
        "found": status in ("FAIL", "WARN" if bug.warns else "FAIL"),
    }


def found_blindly(name: str, words: tuple[str, ...]) -> Row:
    """Which checks fail, or the refusal that keeps the run from starting."""
    from imagelab.problem import Problem
    from tests.zoo import subject
    from tests.zoo_blind import BLIND, plant

    try:
        checked = subject([*words, *BLIND[name][1]])
        plant(name, checked)
    except (AssertionError, Problem) as refusal:
        return {"check": "refused", "status": "FAIL", "found": True, "why": str(refusal)[:200]}
    failed = _speaking(checked, "FAIL")
    return {"check": ", ".join(failed[:3]), "status": "FAIL" if failed else "OK", "found": bool(failed)}


def says(words: list[str]) -> Row:
    """Which checks fail or warn of a sound run."""
    from tests.zoo import subject

    checked = subject(words)
    failed = _speaking(checked, "FAIL")
    return {"check": ", ".join(failed), "status": "FAIL" if failed else "OK", "found": bool(failed)}


def figures(rows: list[Row]) -> Iterator[Figure]:
    """The share of bugs that are found, and of sound runs that fail, in percent."""
    for zoo, better in (("bugs", "higher"), ("blind", "higher"), ("healthy", "lower")):
        mine = [row["found"] for row in rows if row["zoo"] == zoo]
        if mine:
            yield Figure(zoo, [100 * sum(mine) / len(mine)], better, "%")


def _speaking(checked: Any, status: str) -> list[str]:
    from imagelab.checks.run import CHEAP, TRAINED
    from tests.zoo import statuses

    names = [name for name in (*CHEAP, *TRAINED) if name not in SLOW]
    return [name for name, said in statuses(checked, fast=False, only=tuple(names)).items() if said == status]


def tables(rows: list[Row]) -> Iterator[str]:
    """The shares in words, then a table of the bugs and one of those planted blindly."""
    names = sorted({row["setting"] for row in rows}, reverse=True)
    for zoo, words in (("bugs", "bugs"), ("blind", "mistakes written down before the checks were read")):
        for setting in names:
            here = [row for row in rows if row["zoo"] == zoo and row["setting"] == setting]
            if here:
                yield f"- {setting}: {sum(row['found'] for row in here)} of {len(here)} {words} are found."
    healthy = [row for row in rows if row["zoo"] == "healthy"]
    yield f"- {sum(row['found'] for row in healthy)} of {len(healthy)} sound runs fail."
    for zoo in ("bugs", "blind"):
        yield from ("", f"| planted bug | check | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}")
        mine = [row for row in rows if row["zoo"] == zoo]
        for name in dict.fromkeys(row["name"] for row in mine):
            cells = {row["setting"]: row for row in mine if row["name"] == name}
            said = [cells[setting]["status"] if setting in cells else "" for setting in names]
            check = " / ".join(dict.fromkeys(row["check"] for row in cells.values() if row["check"]))
            yield f"| {name} | {check} | {' | '.join(said)} |"


def _key(row: Row) -> tuple[str, str, str]:
    return row["zoo"], row["setting"], row["name"]


def _read() -> list[Row]:
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
