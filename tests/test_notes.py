"""The table of the lecture notes: its words compose, and its tests and pages exist."""

import re
import shlex
from pathlib import Path

from imagelab.cli import COMMANDS
from imagelab.config.compose import compose, plain
from imagelab.config.validate import problems

PAGE = Path(__file__).parents[1] / "docs" / "notes.md"
ROW = re.compile(r"^\| (?!statement|---)(.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def mistakes(words: str) -> list[str]:
    """What is wrong with the words of a command."""
    command, *overrides = shlex.split(words)
    if command not in COMMANDS:
        return [f"{command} is no command"]
    composed = compose(command, overrides)
    assert composed.cfg is not None, composed.problems
    return composed.problems + (problems(plain(composed.cfg)) if command == "train" else [])


def test_every_word_composes_and_means_a_run_that_may_start() -> None:
    words = sorted({one for _, cell, _ in ROWS for one in re.findall(r"`([^`]+)`", cell)})
    assert len(words) > 100
    found = {one: mistakes(one) for one in words}
    assert {one: sentences for one, sentences in found.items() if sentences} == {}


def test_every_statement_has_words_or_a_page_and_a_test_that_is_there() -> None:
    top = PAGE.parents[1]
    assert len(ROWS) >= 100  # 278 in the whole project; a row goes with what it is about
    for statement, cell, tests in ROWS:
        pages = re.findall(r"\]\(([\w/.-]+)\)", cell)
        assert pages or "`" in cell, statement
        assert [page for page in pages if not (PAGE.parent / page).exists()] == [], statement
        named = re.findall(r"`(tests/[\w/]+\.py)`", tests)
        assert named, statement
        assert [name for name in named if not (top / name).exists()] == [], statement
