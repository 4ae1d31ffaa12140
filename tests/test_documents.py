"""What the documents say is so: commands pass the check, links lead somewhere, dependencies are explained."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from imagelab import config
from imagelab.compose import compose, jobs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
EXAMPLES = "CONTRIBUTING.md"  # its commands are run, by tests/test_contributing.py


def commands(page: Path) -> list[str]:
    """The training commands of its shell blocks; what goes on with a run or a sweep is no config to check."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    configs = [line for line in lines if line.startswith("imagelab train") and "--help" not in line]
    return [line for line in configs if "resume=" not in line and " from=" not in line]


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith("http")]


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != EXAMPLES], ids=lambda page: page.name)
def test_its_commands_pass_the_check(page: Path) -> None:
    for command in commands(page):
        words = [word for word in shlex.split(command, comments=True)[2:] if word != "-m"]
        for job in jobs(words):
            composed = compose("train", job)
            assert composed.cfg is not None, f"{command}: {composed.problems}"
            found = composed.problems + config.quick_problems(config.plain(composed.cfg))
            assert not found, f"{command}: {found}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    assert not [link for link in links(page) if not (page.parent / link).exists()]


def test_the_design_names_modules_that_exist_and_all_of_them() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "imagelab"
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    gone = [name for name in named if not (package / name).exists() and not (ROOT / name).exists()]
    assert not gone
    tree = set(re.findall(r"\w+", re.search(r"^src/imagelab/\n(.*?)^tests/", text, re.M | re.S).group(1)))  # type: ignore[union-attr]
    there = {path.stem for path in package.iterdir() if not path.name.startswith("__")}
    assert not there - tree


def test_the_design_says_why_each_dependency_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=]", one)[0] for one in wanted]
    assert not [name for name in names if f"`{name}`" not in text]


def test_a_decision_fits_on_half_a_page() -> None:
    long = [
        page.name
        for page in PAGES
        if page.parent.name == "decisions" and len(page.read_text().splitlines()) > 20
    ]
    assert not long
