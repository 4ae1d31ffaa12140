"""Facts read from the source of a class equal those of the imported class."""

import subprocess
import sys
from inspect import isclass
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_object

from imagelab.config import facts
from imagelab.config.facts import said_by, says, unclear
from tests import stranger
from tests.runs_of_the_command import printed

ROOT = Path(__file__).parents[2]
HERE = "tests.stranger"
OWN = [name for name, one in vars(stranger).items() if isclass(one) and one.__module__ == HERE]
READABLE = [f"{HERE}.{name}" for name in OWN if name != "Hidden"]
CHECK = (
    "import sys; from imagelab.config import validate; from imagelab.config.compose import compose, plain; "
    "cfg = plain(compose('train', sys.argv[1:]).cfg); "
)


def shipped() -> set[str]:
    """Every class or function that a shipped config names."""
    contents = [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "configs").glob("*/*.yaml"))]
    nodes = [node for content in contents if content for node in [content, *content.values()]]
    return {node["_target_"] for node in nodes if isinstance(node, dict) and "_target_" in node}


@pytest.mark.parametrize("target", [*sorted(shipped()), *READABLE])
def test_facts_from_source_equal_those_of_the_imported_class(target):
    thing = get_object(target)
    said, whole = facts._read(target)
    assert whole
    assert said == (said_by(thing) if isclass(thing) else facts.Facts())


def test_the_listed_library_classes_exist():
    assert [path for path in facts.LIBRARY_FACTS if not isclass(get_object(path))] == []
    assert {*facts.LIBRARY_FACTS} >= {"torch.optim.LBFGS", "timm.optim.Lamb"}


@pytest.mark.parametrize("path", ["torch.optim.LBFGS", "torch.optim.lbfgs.LBFGS"])
def test_a_library_class_is_known_by_each_of_its_paths(path):
    assert says({"_target_": path}).line_search
    assert not says({"_target_": "elsewhere.LBFGS"}).line_search


def test_bases_count_in_pythons_order():
    assert stranger.Diamond.clips_gradients
    assert says({"_target_": f"{HERE}.Diamond"}).clips_gradients


def test_facts_that_the_source_hides_come_from_the_imported_class():
    hidden = {"_target_": f"{HERE}.Hidden"}
    assert not facts._read(hidden["_target_"])[1]
    assert says(hidden).line_search
    assert not unclear(hidden)
    assert unclear({"_target_": "not.imported.Class"})


def printed_alone(*words: str, more: str) -> list[str]:
    """What a process of its own prints, which has imported nothing before."""
    command = [sys.executable, "-c", CHECK + more, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_quick_check_imports_neither_the_class_nor_torch():
    words = ["optimizer=lbfgs", f"optimizer._target_={HERE}.MyLBFGS", f"++trick.x._target_={HERE}.Latest"]
    more = f"print(validate.quick_problems(cfg)[0]); print({{'torch', 'timm', {HERE!r}}} & {{*sys.modules}})"
    sentence, imported = printed_alone(*words, more=more)
    assert sentence.startswith("data.batch_size: MyLBFGS compares losses")
    assert imported == "set()"


def test_the_thorough_check_refuses_facts_known_only_from_the_class():
    words = ["trainer=cpu", "optimizer=lbfgs", f"optimizer._target_={HERE}.Hidden"]
    more = "print(validate.quick_problems(cfg)); print(validate.thorough_problems(cfg)[0])"
    quick, thorough = printed(CHECK + more, *words)  # no other process: it imports torch anyway
    assert quick == "[]"
    assert thorough.startswith("data.batch_size: Hidden compares losses")
