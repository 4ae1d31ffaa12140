"""What the pages of documentation show: commands to type, files to write, programs to run."""

import contextlib
import importlib
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagelab import launch, train
from imagelab.config import menu, validate
from imagelab.config.compose import compose
from imagelab.config.rules import combinations
from imagelab.config.rules.ranges import RANGES
from imagelab.config.rules.span import Span
from imagelab.metrics import table
from imagelab.sweep import entry  # room: sweep
from tests import in_process

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
STARTED = "checked and ready to start"


def sections(page: Path) -> dict[str, str]:
    """The parts of a page by their titles; what comes before the first is that of the page itself."""
    first, *others = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {first.partition("\n")[0].removeprefix("# "): first} | {one.splitlines()[0]: one for one in others}


def typed(text: str, shells: str = "sh|bash|console") -> list[str]:
    """The lines of its shell blocks, without their comments."""
    started = r"^(?:torchrun|srun) .*?(?:-m imagelab\.| imagelab )"
    blocks = re.findall(rf"^```(?:{shells})\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [
        re.sub(r"\s+#\s.*", "", line.removeprefix("$ ")) for block in blocks for line in block.splitlines()
    ]
    lines = [re.sub(started, "imagelab ", line) for line in lines]
    return [command for line in lines for command in re.split(r" && (?=imagelab )", line)]


def commands(text: str) -> list[str]:
    """What one can type: the lines of its shell blocks, and what begins like a command in a sentence."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*typed(text), *re.findall(r"`((?:imagelab|make|source|eval|python) [^`]+)`", prose)]


def files(text: str) -> dict[str, str]:
    """The files that a text shows: a name alone on its line, then a block of code."""
    return dict(re.findall(r"^`([\w./]+)`\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def rows(text: str, name: str) -> list[str]:
    """The rows that a text adds to a table: METRICS or RANGES."""
    shown = rf"^`[\w./]+`, a row in `{name}`\n```python\n(.*?)\n```$"
    return re.findall(shown, text, re.MULTILINE | re.DOTALL)


def programs(text: str) -> list[str]:
    """Its blocks of Python that are not files."""
    rest = re.sub(
        r"^`[\w./]+`(?:, a row in `[A-Z]+`)?\n```\w+\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL
    )
    return re.findall(r"^```python\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def with_files(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The project as if the files and rows that a text shows were in it."""
    shown = files(text)
    added = tuple(eval(row, {"Metric": table.Metric}) for row in rows(text, "METRICS"))
    monkeypatch.setattr(table, "METRICS", (*table.METRICS[:-1], *added, table.METRICS[-1]))
    for row in rows(text, "RANGES"):
        for key, span in eval(f"{{{row}}}", {"Span": Span}).items():
            monkeypatch.setitem(RANGES, key, span)
    modules = [name.removesuffix(".py").split("/")[1:] for name in shown if name.startswith("src/")]
    if shown:
        shutil.copytree(menu.folder(), folder / "configs")
        for name, content in shown.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        monkeypatch.setattr(menu, "folder", lambda: folder / "configs")
    for *parents, _ in modules:
        package = importlib.import_module(".".join(parents))
        path = [*package.__path__, str(folder.joinpath("src", *parents))]
        monkeypatch.setattr(package, "__path__", path)
    yield
    for parts in modules:
        sys.modules.pop(".".join(parts), None)


def check(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type a command of imagelab, which checks all that it is told, and ends where it would start.

    A device that is not here is no mistake of the page.
    """
    words = [word for word in shlex.split(line)[1:] if not word.startswith("from=")]

    def resume(_: str, changes: list[str]) -> int:
        validate.changed(compose("train", []).cfg or {}, changes)
        print(STARTED)
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(entry, "prepare", lambda words, check: (None, check(words)))  # room: sweep
        patched.setattr(train, "resume", resume)
        patched.setattr(train, "resume_own", lambda _: None)
        patched.setattr(launch, "_start", lambda *_: print(STARTED))
        patched.setattr(combinations, "device_problems", lambda _: [])
        said = in_process.imagelab(*words, folder=folder)
    assert said.status == 0, f"{line}\n{said.err}"
    assert "--help" in words or said.out.endswith(f"{STARTED}\n"), line
