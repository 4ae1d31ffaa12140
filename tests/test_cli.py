"""The menu, the sentences for mistakes, and how fast both appear."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagelab import cli
from imagelab.config import menu
from imagelab.problem import Problem
from imagelab.terminal import refusal

TIMED = """
import resource, sys
from imagelab import cli
try:
    cli.main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    heavy = {"torch", "lightning", "sklearn", "albumentations"} & set(sys.modules)
    print(used.ru_utime + used.ru_stime, sorted(heavy), file=sys.stderr)
"""


def no_device(monkeypatch):
    import torch

    for backend in (torch.cuda, torch.backends.mps):
        absent = functools.wraps(backend.is_available)(lambda: False)
        monkeypatch.setattr(backend, "is_available", absent)


class User:
    """Types commands in an empty folder and reads what comes back."""

    def __init__(self, monkeypatch, capsys):
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def types(self, *words):
        """Exit status, standard output, lines of standard error."""
        self.monkeypatch.setattr(sys, "argv", ["imagelab", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code
        out, err = self.capsys.readouterr()
        return status, out, err.splitlines()


@pytest.fixture
def user(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return User(monkeypatch, capsys)


MISTAKES = {
    "trainer.max_epoch=1": "trainer.max_epoch: Trainer has no such argument; did you mean 'max_epochs'?",
    "optimizer.weigth_decay=1": (
        "optimizer.weigth_decay: AdamW has no such argument; did you mean 'weight_decay'?"
    ),
    "augment=[crop] augment.crop.sise=4": (
        "augment.crop.sise: Crop has no such argument; did you mean 'size'?"
    ),
    "+loss.label_smothing=0.1": (
        "loss.label_smothing: CrossEntropy has no such argument; did you mean 'label_smoothing'?"
    ),
    "optimizer=adamm": "optimizer: there is no 'adamm'; did you mean 'adam'?",
    "augment=[flip,cropp]": "augment: there is no 'cropp'; did you mean 'crop'?",
    "modle=small_cnn": "modle: no such key; did you mean 'model'?",
    "optimiser=adam": "optimiser: no such key; did you mean 'optimizer'?",
    "optimizer.lr=fast": "optimizer.lr: wants a number, got 'fast'",
    "data.batch_size=12.5": "data.batch_size: wants a whole number or 'full', got 12.5",
    "data.batch_size=ful": (
        "data.batch_size: wants a whole number or 'full', got 'ful'; did you mean 'full'?"
    ),
    "seed=abc": "seed: wants a whole number, got 'abc'",
    "seed.x=1": 'seed: wants a whole number, got {"x": 1}',
    "optimizer.momentum=0.9": "optimizer.momentum: AdamW has no such argument; it belongs to optimizer=",
    "trick.early_stopping.patience=3": "trick.early_stopping: has keys set, but is not chosen; add trick=[",
    "trick.early_stoping.patience=3": ("trick.early_stoping: no such choice; did you mean 'early_stopping'?"),
    "data=folder": "data.root: Folder needs it; set data.root=DIR",
    "augment=[none,flip]": "augment: none cannot be combined, got augment=[none,flip]",
    "augment=[mixup] data.batch_size=1": "data.batch_size: mixup blends the images of a batch, got",
    "monitor=val/acuracy": "monitor: there is no metric 'val/acuracy'; did you mean 'val/accuracy'?",
    "trainer.precision=bf16-mixd": "trainer.precision: there is no 'bf16-mixd'; did you mean 'bf16-mixed'?",
    "trainer.logger=false": "trainer.logger: cannot be set in a config; set logger=[...]",
    "optimizer=adam,adamw": "optimizer=adam,adamw: several values are a sweep, add -m; for one list, set",
    "optimizer=null": "optimizer: there is no 'null'; choose from ",
    "optimizer.lr": "optimizer.lr: an override is group=choice or key=value; this one has no =",
    "data.classes=[a": "data.classes=[a: cannot be parsed; ",
    "seed=${sead}": "seed: Interpolation key 'sead' not found",
    "--lr=3": "--lr=3: no such flag; set options by group=choice and key=value",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_a_mistake_is_one_sentence_and_creates_no_files(user, word, tmp_path):
    status, out, lines = user.types("train", *word.split())
    assert (status, out, lines[0]) == (2, "", "This run cannot start:")
    assert len(lines) == 2
    assert lines[1].strip().startswith(MISTAKES[word])
    assert list(tmp_path.iterdir()) == []


def test_all_mistakes_are_reported_at_once(user):
    words = ["optimizer=adamm", "modle=x", "trainer.max_epoch=1", "data.batch_size=12.5", "seed=abc"]
    status, _, lines = user.types("train", *words)
    keys = {line.split(":")[0].strip() for line in lines[1:]}
    assert (status, keys) == (
        2,
        {"optimizer", "modle", "trainer.max_epoch", "data.batch_size", "seed"},
    )


def test_every_value_of_a_sweep_is_checked(user):
    status, _, lines = user.types("train", "-m", "optimizer=adam,adamm", "optimizer.lr=0.1,fast", "seed=1,2")
    assert status == 2
    assert sorted(line.strip() for line in lines[1:]) == [
        "optimizer.lr: wants a number, got 'fast'",
        "optimizer: there is no 'adamm'; did you mean 'adam'?",
    ]


def test_a_mistake_in_an_experiment_names_the_file(user, monkeypatch, tmp_path):
    configs = tmp_path / "configs"
    configs.mkdir()
    for path in menu.folder().iterdir():
        (configs / path.name).symlink_to(path)
    (configs / "experiment").unlink()
    (configs / "experiment").mkdir()
    (configs / "experiment" / "birds.yaml").write_text(
        "# @package _global_\n# Birds.\nseeed: 1\noptimizer:\n  lrr: 2\noptimiser:\n  lr: 3\n"
    )
    monkeypatch.setattr(menu, "folder", lambda: configs)
    status, _, lines = user.types("train", "experiment=birds", "data.limt=3")
    assert status == 2
    assert [line.strip() for line in lines[1:]] == [
        "seeed: no such key; did you mean 'seed'? (in experiment/birds.yaml)",
        "optimiser: no such key; did you mean 'optimizer'? (in experiment/birds.yaml)",
        "data.limt: Digits has no such argument; did you mean 'limit'?",
        "optimizer.lrr: AdamW has no such argument; did you mean 'lr'? (in experiment/birds.yaml)",
    ]


def test_a_missing_device_is_refused_before_a_folder_is_made(user, monkeypatch, tmp_path):
    no_device(monkeypatch)
    status, _, lines = user.types("train", "trainer=gpu")
    assert status == 2
    assert "torch finds no gpu here" in lines[1]
    assert list(tmp_path.iterdir()) == []


def test_the_menu_shows_every_choice_with_its_comment_and_every_key(user):
    status, out, _ = user.types("train", "--help")
    more = user.types("evaluate", "--help")
    assert (status, more[0]) == (0, 0)
    lines = [line.strip() for line in (out + more[1]).splitlines()]
    for path in menu.folder().glob("*/*.yaml"):
        if path.parent.name in menu.BROUGHT:  # nobody chooses these
            continue
        first = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
        assert any(
            line.split()[:1] in ([path.stem], [f"{path.stem}*"]) and line.endswith(first[2:])
            for line in lines
        ), path
    assert any(line.startswith("data.batch_size=128 ") and "images per step" in line for line in lines)
    assert "seed=0" in {line.split(" ")[0] for line in lines}


def test_without_a_command_the_commands_are_listed(user):
    status, out, _ = user.types()
    assert status == 0
    for name in ("train", "evaluate", "predict"):
        assert f"imagelab {name} " in out


def test_a_misspelt_command_is_named(user):
    assert user.types("trian")[::2] == (2, ["trian: no such command; did you mean 'train'?"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("imagelab tr", {"train"}),
        ("imagelab train data=dig", {"data=digits", "data=digits_facts"}),
        ("imagelab train trainer.max_ep", {"trainer.max_epochs="}),
    ],
)
def test_the_shell_completes_commands_choices_and_keys(user, monkeypatch, line, words):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    _, out, _ = user.types("-sc", "query=bash")
    assert set(out.split()) == words


def test_a_problem_while_building_is_shown_as_its_sentence(capsys):
    with pytest.raises(SystemExit) as end, refusal.plainly():
        raise Problem("data.root: /nowhere does not exist")
    assert end.value.code == 2
    assert capsys.readouterr().err == "data.root: /nowhere does not exist\n"


def test_ctrl_c_during_imports_prints_no_stack_trace(monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupted)
    monkeypatch.setattr(sys, "argv", ["imagelab", "evaluate"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130


def test_a_further_rank_joins_its_run_whatever_the_overrides(monkeypatch):
    from imagelab import train

    joined = []
    monkeypatch.setenv("IMAGELAB_RUN", "logs/a")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(train, "join", joined.append)
    monkeypatch.setattr(sys, "argv", ["imagelab", "optimizer=adamm"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert (end.value.code, joined) == (0, ["logs/a"])


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--help"],
        ["train", "schedule=cosine", "--help"],
        ["train", "trainer.max_epoch=1"],
        ["train", "optimizer=adamm", "modle=x"],
        ["train", "optimizer.lr=fast", "schedule.warmpu=1"],
    ],
)
def test_help_and_typos_take_under_a_second_of_cpu_and_no_torch(words, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    used = []
    for _ in range(2):  # the first may have to compile
        done = subprocess.run(
            [sys.executable, "-c", TIMED, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        seconds, heavy = done.stderr.splitlines()[-1].split(maxsplit=1)
        assert heavy == "[]"
        assert done.returncode == (0 if "--help" in words else 2)
        used.append(float(seconds))
    assert min(used) < 1
    assert list(Path(tmp_path).iterdir()) == []
