"""Rooms and choices come out with all that belongs to them, and nothing that is left names them."""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from scripts.markers import rooms_of
from scripts.remove import main, size, tracked
from scripts.rooms import ROOMS, Files, choices, commands, questions, targets, there, without
from scripts.trimming import mentions, page

ROOT = Path(__file__).parents[2]
THERE = there(tracked(ROOT)) if (ROOT / ".git").exists() else []
CHOICE = re.compile(r"configs/\w+/")
NEVER = "(?!)"  # matches nothing: a room may have no command, choice or target of its own

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")


@pytest.fixture(scope="module")
def files() -> Files:
    return tracked(ROOT)


@pytest.fixture(scope="module")
def rest(files: Files) -> Callable[[str], Files]:
    """What is left without a room, computed once."""
    return cache(lambda room: without(files, room))


def names(files: Files) -> set[str]:
    """All modules of the project, tests and scripts too."""
    paths = [path for path in files if path.endswith(".py")]
    return {path[:-3].removeprefix("src/").removesuffix("/__init__").replace("/", ".") for path in paths}


@cache
def imported(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def dangling(files: Files, left: Files) -> dict[str, set[str]]:
    """The imports of what has gone, by file."""
    gone = names(files) - names(left)
    lost = {path: imported(text) & gone for path, text in left.items() if path.endswith(".py")}
    return {path: found for path, found in lost.items() if found}


@pytest.mark.parametrize("room", [*THERE, "augment/mixup"])
def test_no_import_of_what_is_left_leads_into_what_has_gone(
    room: str, files: Files, rest: Callable[[str], Files]
) -> None:
    assert names(files) - names(rest(room))
    assert not dangling(files, rest(room))


@pytest.mark.skipif([*ROOMS] != THERE, reason="the table is about the whole project")
@pytest.mark.parametrize("room", THERE)
def test_the_design_counts_the_lines_of_a_room(room: str, files: Files, rest: Callable[[str], Files]) -> None:
    row = re.search(rf"^\| `{room}` \| .* \| ([\d,]+) \|$", files["docs/design.md"], re.MULTILINE)
    assert row is not None
    lines = size(files) - size(rest(room))
    assert int(row.group(1).replace(",", "")) == pytest.approx(lines, rel=0.05), lines


@pytest.mark.parametrize("room", THERE)
def test_no_message_or_page_that_is_left_names_a_command_that_has_gone(
    room: str, files: Files, rest: Callable[[str], Files]
) -> None:
    left = rest(room)
    words = "|".join(commands(files).keys() - commands(left).keys())
    chosen = "|".join(
        path[8:-5].replace("/", "=") for path in files.keys() - left.keys() if CHOICE.match(path)
    )
    made = "|".join(set(targets(files)) - set(targets(left)))
    typed = [rf"imagelab ({words})\b"] if words else []
    typed += [rf"\b({chosen})\b"] if chosen else []
    typed += [rf"\bmake ({made})\b"] if made else []
    typed = typed or ["(?!)"]  # there is nothing to name
    quoted = [*typed, f"`({words})`"] if words else typed
    kept = ("CHANGELOG.md", "docs/tricks.md", "docs/schemas/", "tests/", "scripts/")  # or written anew
    assert {
        f"{path}: {found.group()}"
        for path, text in left.items()
        if not path.startswith(kept)
        for found in re.finditer("|".join(typed if path.endswith(".py") else quoted) or NEVER, text)
    } == set()


def test_the_room_takes_its_command_config_tests_pages_and_layer(  # room: inspection
    files: Files, rest: Callable[[str], Files]
) -> None:
    left = rest("inspection")
    assert commands(files).keys() - commands(left).keys() == {"inspect"}
    for path in ("configs/inspect.yaml", "src/imagelab/inspect_data.py", "tests/test_inspect_data.py"):
        assert path in files
        assert path not in left
    assert "docs/howto/inspect.md" not in left
    assert "imagelab inspect" not in left["README.md"]
    assert "inspection" not in left["pyproject.toml"]
    # room: checks, embedding, exporting, finders, reports
    assert '"reports | checks | exporting | finders | embedding"' in left["pyproject.toml"]
    # end


def test_a_task_comes_out_with_its_room(
    files: Files, rest: Callable[[str], Files]
) -> None:  # room: generators
    left = without(files, "task/gan")
    assert left == rest("generators")
    assert commands(files).keys() - commands(left).keys() == {"generate"}
    for path in (
        "src/imagelab/gan.py",
        "configs/loss/hinge.yaml",
        "configs/start/gan.yaml",
        "tests/test_gan.py",
    ):
        assert path in files
        assert path not in left
    assert "configs/loss/mse.yaml" in left


def test_the_groups_of_a_room_go_with_their_choices(  # room: sweep
    files: Files, rest: Callable[[str], Files]
) -> None:
    left = rest("sweep")
    assert questions(files).keys() - questions(left).keys() == {"sweep", "launcher"}
    assert not [path for path in left if path.startswith(("configs/sweep/", "configs/launcher/"))]
    assert not [path for path in left if path.startswith("src/hydra_plugins/")]
    assert "make sweep" not in left["Makefile"]


def test_pages_that_nothing_else_draws_with_go_with_the_last_room_that_does(files: Files) -> None:
    left = files
    for room in ("checks", "finders", "inspection", "exporting", "sweep", "reports"):
        left = without(left, room)
    assert not dangling(files, left)
    kept = {path for path in left if path.startswith("src/imagelab/pages/")}
    assert "src/imagelab/pages/matrix.py" not in kept
    assert "src/imagelab/pages/line_plot.py" in kept  # tricks that watch a run draw with it


def test_a_choice_takes_its_module_its_tests_and_the_recipes_that_need_it(files: Files) -> None:
    left = without(files, "trick/ema")
    gone = files.keys() - left.keys()
    assert {"configs/trick/ema.yaml", "src/imagelab/trick/ema.py", "tests/trick/test_ema.py"} <= gone
    assert "configs/experiment/imagenet_resnet50.yaml" in gone  # room: augment/mixup
    assert "src/imagelab/trick/weight_average.py" in left  # swa needs it
    assert "trick=[ema]" not in left["README.md"]


def test_a_recipe_goes_with_the_commands_and_tests_that_run_it(files: Files) -> None:  # room: augment/flip
    left = without(files, "augment/flip")
    gone = [path[8:-5] for path in files.keys() - left.keys() if path.startswith("configs/experiment/")]
    assert len(gone) >= 4
    typed = re.compile("|".join(recipe.replace("/", "=") + r"\b" for recipe in gone))
    kept = ("CHANGELOG.md", "docs/tricks.md", "docs/schemas/", "benchmarks/results/", "scripts/")
    assert not [path for path, text in left.items() if not path.startswith(kept) and typed.search(text)]


def test_pages_do_not_name_tests_that_have_gone(rest: Callable[[str], Files]) -> None:  # room: reports
    name = "test_a_run_killed_while_it_wrote_its_report_is_completed_by_resume"
    assert name in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert name not in rest("reports")["docs/reliability.md"]
    assert "test_fifty_kills_do_not_change_a_bit" in rest("reports")["docs/reliability.md"]


def test_defaults_are_needed(files: Files) -> None:
    can = choices(files)
    assert "trick/ema" in can
    assert not {"data/digits", "model/small_cnn", "task/classify", "optimizer/adamw"} & set(can)


def test_a_row_with_other_links_keeps_them() -> None:
    gone = mentions(["docs/howto/check.md"], ["imagelab check"], "checks")
    row = "| look | [check](howto/check.md), [inspect](howto/inspect.md) |\n"
    assert page(row, gone) == "| look | [inspect](howto/inspect.md) |\n"
    assert page("- [check](howto/check.md): find\n  bugs\n- [go](a.md)\n", gone) == "- [go](a.md)\n"
    assert page("Look at [the\npage](howto/check.md).\n", gone) == "Look at the\npage.\n"
    text = "\n".join(["```bash", "imagelab check", "```", "", "Text", ""])
    assert page(text, gone) == "Text\n"
    assert page("```\n  checks/ runs/\n```\n", gone) == "```\n  runs/\n```\n"


def test_each_marker_names_a_room_or_a_choice(files: Files) -> None:
    known = {*ROOMS, *choices(files)}
    places = ("scripts/", "tests/scripts/test_remove.py", "docs/design.md")
    strange = {
        path: found
        for path, text in files.items()
        if not path.startswith(places)
        and (found := {room for line in text.splitlines() for room in rooms_of(line)} - known)
    }
    assert not strange


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "ROOM=nothing cannot come out. These rooms can: "),
        (["trainer/cpu"], "ROOM=trainer/cpu cannot come out: a fifth of all tests and the benchmarks"),
        (["training"], "ROOM=training cannot come out. "),
        (["data/digits"], "So can each choice that is not the default of its group"),
    ],
)
def test_what_cannot_come_out_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, ROOT) == 2
    assert sentence in capsys.readouterr().err
