"""Tests that need a choice go with it: a row of a table, an assertion, or the whole test."""

from scripts.asked import Choice
from scripts.ingredients import untested

EMA = Choice("trick", "ema")
TABLES = """\
from imagelab.trick.ema import EMA
from tests.other import averaged, plain

WORDS = ["seed=1", "trick=[ema]"]
LBFGS = ["optimizer=lbfgs", "seed=1"]
NEEDS = {"ema": ["a"], "swa": ["b"]}


@parametrize("words", [["trick=[ema,l1]", "ema averages"], ["trick=[ema,l1]", "weighs"], LBFGS])
def test_rows(words):
    assert words != "ema"


def test_assertions():
    assert plain("trick=[ema]")
    assert plain("trick=[swa]")


def start():
    return EMA()  # the first


def test_users():
    assert start()
"""
OTHER = "def averaged():\n    return 'trick=[ema]'\n\n\ndef plain(words):\n    return words\n"


def left(choice: Choice, gone: dict[str, str]) -> dict[str, str]:
    files = {"tests/test_a.py": TABLES, "tests/other.py": OTHER, "tests/test_b.py": "def test_ema(): 'ema'\n"}
    return untested(files, gone, choice)


def test_what_needs_the_choice_goes_and_the_rest_stays():
    kept = left(EMA, {"imagelab.trick.ema": ""})
    text = kept["tests/test_a.py"]
    assert "from imagelab" not in text
    assert "from tests.other import plain\n" in text
    assert 'WORDS = ["seed=1"]' in text
    assert 'NEEDS = {"swa": ["b"]}' in text
    assert '[["trick=[ema,l1]", "weighs"], LBFGS])\ndef test_rows' in text
    assert 'plain("trick=[swa]")' in text
    assert "trick=[ema]" not in text
    assert "start" not in text
    assert kept["tests/other.py"].startswith("\n\ndef plain")


def test_a_file_without_a_test_that_is_left_goes():
    assert "tests/test_b.py" not in left(EMA, {})
    assert "tests/test_b.py" in left(Choice("optimizer", "lbfgs"), {})


def test_a_file_that_others_import_from_stays_without_its_tests():
    helper = "def write():\n    pass\n\n\ndef test_a():\n    assert run('trick=[ema]')\n"
    other = "from tests.test_helper import write\n\n\ndef test_b():\n    assert write() is None\n"
    left = untested({"tests/test_helper.py": helper, "tests/test_other.py": other}, {}, EMA)
    assert left["tests/test_helper.py"].strip() == "def write():\n    pass"
    assert left["tests/test_other.py"] == other


def test_the_word_of_a_choice_may_be_an_argument_for_something_else():
    text = "def test_a():\n    assert Trainer(accelerator='cpu')\n"
    text += "\n\ndef test_b():\n    assert run(trainer='cpu')\n"
    left = untested({"tests/test_a.py": text}, {}, Choice("trainer", "cpu"))["tests/test_a.py"]
    assert "Trainer(accelerator='cpu')" in left
    assert "test_b" not in left


def test_words_for_the_choice_go_with_all_that_uses_them():
    text = left(Choice("optimizer", "lbfgs"), {})["tests/test_a.py"]
    assert "seed=1" in text
    assert "LBFGS" not in text
    assert '"weighs"]])\ndef test_rows' in text


def test_a_choice_leaves_lists_of_several():
    for text in ("trick=[ema,l1]", "trick=[l1,ema]", "trick=[l1, ema]"):
        assert EMA.unlisted(text) == "trick=[l1]"
    assert (
        EMA.unlisted("trick=[a,ema,b] trick=[ema] augment=[ema,b]")
        == "trick=[a,b] trick=[ema] augment=[ema,b]"
    )
    assert EMA.unlisted("trick=[schema,emails]") == "trick=[schema,emails]"


def test_a_dict_loses_what_it_unpacks_with_its_asterisks():
    tables = 'GONE = {"a": "trick=[ema]"}\nROWS = {"b": 1, **GONE}\nOTHERS = {**GONE, "b": 1}\n'
    kept = untested({"tests/test_a.py": f"{tables}\n\ndef test_a():\n    assert ROWS\n"}, {}, EMA)
    assert kept["tests/test_a.py"].startswith('ROWS = {"b": 1}\nOTHERS = {"b": 1}\n')


def test_what_a_test_imports_within_or_from_tests_that_have_gone_goes_too():
    lines = ["from tests.trick.test_ema import averaged", "", "", "def test_a():", "    assert averaged", ""]
    lines += ["", "def test_b():", "    from imagelab.trick.ema import EMA", "    assert EMA", ""]
    lines += ["", "def test_c():", "    assert not 'ema  # fmt: skip'  # fmt: skip", ""]
    gone = {"imagelab.trick.ema": "class EMA: pass\n", "tests.trick.test_ema": "def averaged(): pass\n"}
    kept = untested({"tests/test_a.py": "\n".join(lines)}, gone, EMA)["tests/test_a.py"]
    assert [line for line in kept.splitlines() if line] == ["def test_c():", lines[-2]]


def test_an_assertion_goes_with_the_comment_behind_it():
    text = "def test_a():\n    assert x\n    assert 'trick=[ema]'  # fmt: skip\n    assert y\n"
    kept = untested({"tests/test_a.py": text}, {}, EMA)["tests/test_a.py"]
    assert kept == "def test_a():\n    assert x\n    assert y\n"
