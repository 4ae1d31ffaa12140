"""What the documents say is so: commands pass the check, links lead somewhere, dependencies are explained."""

import re
import tomllib
from pathlib import Path

import pytest

from tests import documents
from tests.documents import PAGES, ROOT


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith("http")]


def shown(page: Path, title: str) -> list[str]:
    """The commands of imagelab in the shell blocks of a section; in README.md, those in its sentences too."""
    text = documents.sections(page)[title]
    lines = documents.commands(text) if page.name == "README.md" else documents.typed(text)
    return [line for line in dict.fromkeys(lines) if line.startswith("imagelab ") and " -sc " not in line]


SECTIONS = [(page, title) for page in PAGES for title in documents.sections(page) if shown(page, title)]


@pytest.mark.parametrize(
    ("page", "title"), SECTIONS, ids=[f"{page.name}-{title}" for page, title in SECTIONS]
)
def test_its_commands_pass_the_check(page, title, tmp_path, monkeypatch) -> None:
    with documents.with_files(documents.sections(page)[title], tmp_path / "project", monkeypatch):
        for line in shown(page, title):
            documents.check(line, tmp_path, monkeypatch)


WRONG = ["train optimiser=adam", "train -m sweep=refine sweep.trails=3", "predict rum=last"]


@pytest.mark.parametrize("line", WRONG)
def test_the_check_of_a_page_finds_a_wrong_word_of_any_command(line, tmp_path, monkeypatch) -> None:
    with pytest.raises(AssertionError, match=r"optimiser|trails|rum"):
        documents.check(f"imagelab {line}", tmp_path, monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    assert not [link for link in links(page) if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_that_it_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text)) - set(documents.files(text))
    homes = [ROOT, ROOT / "src" / "imagelab"]
    examples = ("/x.py", "/test_x.py", "/test_max_norm.py")
    gone = [name for name in named if not any((home / name).exists() for home in homes)]
    assert not [name for name in gone if not name.endswith(examples)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_it_names_exist(page: Path) -> None:
    named = re.findall(r"`(tests/\w[\w/]*\.py)::(\w+)`", page.read_text(encoding="utf-8"))
    assert [
        name for file, name in named if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ] == []


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
    names = [re.split(r"[<>=[]", one)[0] for one in wanted]
    assert not [name for name in names if f"`{name}`" not in text]


def test_a_decision_fits_on_half_a_page() -> None:
    long = [
        page.name
        for page in PAGES
        if page.parent.name == "decisions" and len(page.read_text().splitlines()) > 20
    ]
    assert not long
