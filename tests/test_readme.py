"""Commands of README.md and of the bash blocks in docs/ are run, made small; what cannot run here says why.

That takes minutes: by default, commands are only checked (`tests/test_documents.py`).
"""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.error
from pathlib import Path
from unittest import mock  # room: serving

import numpy as np
import pytest
from PIL import Image

import imagelab
from imagelab.pages.local_server import LocalServer  # room: serving
from tests import in_process
from tests.documents import ROOT, check, commands, programs, sections, typed, with_files
from tests.runs_of_the_command import finish
from tests.test_mistakes import BEFORE

OVERVIEWS = [ROOT / "README.md", ROOT / "docs" / "index.md"]
README, INDEX = [page.read_text(encoding="utf-8") for page in OVERVIEWS]
SECTIONS = {
    f"{page.stem}: {title}": part
    for page in [*OVERVIEWS, *sorted((ROOT / "docs" / "howto").glob("*.md"))]
    for title, part in sections(page).items()
}
COMMANDS = {  # blocks marked as sh are only checked, and so are sentences of how-tos
    title: commands(part) if title.startswith(("README", "index")) else typed(part, "bash")
    for title, part in SECTIONS.items()
}
RUN = "logs/train/2026-01-31_12-00-00"

SMALL = {"trainer.max_epochs": "1", "data.limit": "24", "data.batch_size": "4", "data.workers": "0"}
SMALL_PHOTOS = {"data.size": "32"}
LESS = {"check": ["fast=true"], "find_lr": ["steps=50"]}
NO_NETWORK = ("experiment=cifar10_fast", "data=cifar10", "model.pretrained=true")


@pytest.fixture(scope="module")
def example_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs."""
    words = ["trainer.max_epochs=2", "data.limit=200", "data.batch_size=16"]
    return in_process.trained(*words, folder=tmp_path_factory.mktemp("run"))


@pytest.fixture
def place(tmp_path: Path, example_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the README takes for granted; the network is away."""
    pictures(tmp_path / "photos")
    rows = [f"photos/{path.parent.name}/{path.name},{path.parent.name}" for path in tmp_path.rglob("*.jpg")]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *sorted(rows)]))
    (tmp_path / "new_photos").mkdir()
    for place, path in enumerate(sorted((tmp_path / "photos").rglob("*.jpg"))[:3]):
        shutil.copy(path, tmp_path / "new_photos" / f"{place}.jpg")
    shutil.copytree(example_run, tmp_path / RUN)
    for name, folder in {"IMAGELAB_CACHE": "cache", "TORCH_HOME": "torch", "WANDB_DIR": "wandb"}.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("WANDB_MODE", "offline")
    cut_off(tmp_path, monkeypatch)
    return tmp_path


def pictures(root: Path) -> None:
    rng = np.random.default_rng(0)
    for label, name in enumerate(["cat", "dog"]):
        (root / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 160, (*rng.integers(34, 60, 2), 3)) + 95 * label
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{i:02}.jpg")


def cut_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    def away(*_: object, **__: object) -> None:
        raise urllib.error.URLError("the network is away")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("urllib.request.urlopen", away)


def smaller(line: str) -> list[str]:
    """The words of a training command, and more that make it short."""
    words = shlex.split(line)[1:]
    changes = SMALL | (SMALL_PHOTOS if "data.root=photos" in words else {})
    if any(word.startswith("sweep=") for word in words) and "sweep=kfold" not in words:
        words = [word for word in words if not word.startswith("sweep.trials")]
        changes |= {"sweep.trials": "3" if "sweep=coarse" in words else "1"}
    if "sweep=kfold" in words:
        words = [word.replace("data.folds=5", "data.folds=2") for word in words]
    if "data.batch_size=full" in words:
        changes = {name: value for name, value in changes.items() if name != "data.batch_size"}
    return [*words, *(f"{name}={value}" for name, value in changes.items())]


def succeed(words: list[str], folder: Path) -> in_process.Said:
    said = in_process.imagelab(*words, folder=folder)
    assert said.status == 0, f"imagelab {shlex.join(words)}\n{said.out}\n{said.err}"
    return said


def serve_and_stop(line: str, place: Path) -> None:  # room: serving
    """Start the page, and press Ctrl-C at once."""
    with mock.patch.object(LocalServer, "serve_forever", side_effect=KeyboardInterrupt):
        assert "Open http://127.0.0.1:" in succeed([*shlex.split(line)[1:], "port=0"], place).out


def train(line: str, place: Path) -> None:
    """Run a training command, or show that it gets as far as the network, or the GPUs."""
    words = smaller(line)
    absent = [word for word in NO_NETWORK if word in words]
    if absent:
        said = in_process.imagelab(*words, folder=place)
        assert (said.status, said.out) == (2, "")
        assert re.search(r"c(annot|ould not) be downloaded", said.err), said.err
        if absent == ["model.pretrained=true"]:
            words = [word for word in words if not word.startswith("finetune=")]
            succeed([*words, "model.pretrained=false"], place)
    elif "trainer=ddp" in words:
        said = in_process.imagelab(*words, folder=place)
        assert said.status == 2
        assert "trainer.accelerator: torch finds no gpu here" in said.err
    elif "trainer=ddp_cpu" in words:
        assert "on 2 x cpu" in finish(words[1:], place, real_ranks=True)
    elif "-m" in words or "--help" in words:
        succeed(words, place)
    else:
        assert "finished" in succeed(words, place).out


def skip_bad(line: str, place: Path) -> None:
    bad = place / "photos" / "cat" / "broken.jpg"
    bad.write_text("no picture")
    words = smaller(line)
    refused = in_process.imagelab(*(w for w in words if not w.startswith("data.on_bad")), folder=place)
    assert (refused.status, str(bad) in refused.err) == (2, True)
    assert str(bad) in succeed(words, place).out
    bad.unlink()


def resume(line: str, place: Path) -> None:
    """As after `kill -9` in the second epoch: the last checkpoint is the one before, and no results."""
    run = place / RUN
    (run / "results.json").unlink(missing_ok=True)
    shutil.copy(run / "checkpoints" / "previous.ckpt", run / "checkpoints" / "last.ckpt")
    succeed(shlex.split(line)[1:], place)
    assert json.loads((run / "results.json").read_text())["status"] == "finished"


def evaluate(line: str, place: Path) -> None:
    words = shlex.split(line)[1:]
    if "root=/mnt/photos" in words:
        words[words.index("root=/mnt/photos")] = f"root={place / 'moved'}"
        train("imagelab train data=folder data.root=photos hydra.run.dir=logs/photos", place)
        (place / "photos").rename(place / "moved")
    assert "accuracy" in succeed(words, place).out
    if (place / "moved").exists():
        (place / "moved").rename(place / "photos")


def look(line: str, place: Path) -> None:
    """Run what only looks; `check` may find something in made pictures, and says so by its exit status."""
    command = shlex.split(line)[1]
    words = shlex.split(line)[1:] if command == "report" else [*smaller(line), *LESS.get(command, [])]
    said = in_process.imagelab(*words, folder=place)
    assert said.status in ((0, 1) if command == "check" else (0,)), said.err
    page = Path(re.findall(r"\S+\.html", said.out)[-1])
    assert "</html>" in (place / page).read_text(encoding="utf-8")


def make(line: str, place: Path, clone: Path) -> None:
    """What make would do, in a fresh clone; then its command is run here, if it trains."""
    done = subprocess.run(
        ["make", "-n", *shlex.split(line)[1:]],
        cwd=clone,
        env=outside_of_make(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Installing the locked packages" in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert re.search(
        r"\.venv/bin/(imagelab|pytest|ruff|codespell|lint-imports|basedpyright|python)\b", last
    ), last
    if last.startswith(".venv/bin/imagelab train"):
        train(last.removeprefix(".venv/bin/"), place)


def outside_of_make() -> dict[str, str]:
    """The environment as it is where the tests were not started by make."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "ARGS"))}


def clone_and_train(line: str, place: Path) -> None:
    """The clone is real; what make does in it is shown by `make -n`."""
    head, _, rest = line.partition(" && cd imagelab && ")
    url = ROOT if (ROOT / ".git").exists() else repository(fresh(place))
    done = subprocess.run(["sh", "-c", head], cwd=place, env=os.environ | {"URL": str(url)}, check=False)
    assert done.returncode == 0
    make(rest, place, place / "imagelab")


def repository(folder: Path) -> Path:
    """A git repository of what is in a folder."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def activate(_: str, place: Path) -> None:
    done = subprocess.run(
        ["make", "-n", "setup"], cwd=fresh(place), env=outside_of_make(), capture_output=True, text=True
    )
    assert re.search(r"uv venv .*\.venv$", done.stdout, re.MULTILINE)


def complete(line: str, place: Path) -> None:
    words = shlex.split(re.findall(r"\$\((.*)\)", line)[0])[1:]
    assert "complete -o nospace" in succeed(words, place).out


def benchmark(line: str, _: Path) -> None:
    """It is there; what it does takes minutes."""
    words = shlex.split(line)[1:]
    name = f"{words[1].replace('.', '/')}.py" if words[0] == "-m" else words[0]
    assert (ROOT / name).is_file()


FOLLOWED = {  # what a line is like -> what shows that it does what it says; the first that fits
    r"git clone ": clone_and_train,
    r"make ": lambda line, place: make(line, place, fresh(place)),
    r"source \.venv/bin/activate$": activate,
    r"imagelab$": lambda _, place: "imagelab train" in succeed([], place).out,
    r"eval ": complete,
    r"python ": benchmark,
    r".*on_bad_image": skip_bad,
    r".* resume=": resume,
    r"imagelab evaluate ": evaluate,
    r"imagelab predict ": lambda line, place: (
        "0 of them unreadable" in succeed(shlex.split(line)[1:], place).out
    ),
    r"imagelab pack ": lambda line, place: (
        "data=arrow" in succeed([*shlex.split(line)[1:], "hydra.run.dir=logs/packed"], place).out
    ),
    r"imagelab runs": lambda line, place: "1 of 1 runs" in succeed(shlex.split(line)[1:], place).out,
    r"imagelab embed ": lambda line, place: "Written to" in succeed(shlex.split(line)[1:], place).out,
    r"imagelab serve ": serve_and_stop,  # room: serving
    r"imagelab export ": lambda line, place: "Written to" in succeed(shlex.split(line)[1:], place).out,
    r"imagelab find_batch": lambda line, place: (
        "data.batch_size=" in succeed([*smaller(line), "seconds=0.05"], place).out
    ),
    r"imagelab (inspect|check|find_lr|report) ": look,
    r"imagelab train ": train,
}


def follow(line: str, place: Path) -> None:
    """Do what a line says."""
    way = next((way for start, way in FOLLOWED.items() if re.match(start, line)), None)
    assert way is not None, f"no one checks this line: {line}"
    assert way(line, place) in (None, True), line


def fresh(place: Path) -> Path:
    """A folder in which make finds what a clone has, and nothing is installed."""
    folder = place / "fresh"
    folder.mkdir(exist_ok=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_what_only_installs_lists_or_completes_does_so(place, monkeypatch):
    trained = []

    def checked(line: str, place: Path) -> None:
        trained.append(line)
        check(line, place, monkeypatch)

    monkeypatch.setattr(f"{__name__}.train", checked)
    lines = [line for found in COMMANDS.values() for line in found if not line.startswith("imagelab ")]
    for line in lines:
        follow(line, place)
    assert len(lines) > 8
    assert len(trained) >= 2  # those of make


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title, lines in COMMANDS.items() if lines])
def test_the_commands_do_what_they_say(title, place, monkeypatch):
    compiled = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.nn.Module.compile", lambda net: compiled.append(net))  # a minute, otherwise
    with with_files(SECTIONS[title], place / "project", monkeypatch):
        for line in COMMANDS[title]:
            follow(line, place)
    assert len(compiled) == COMMANDS[title].count("imagelab train trainer.compile=true")


def boxes_are_printed(found: list[str]) -> None:  # room: detection
    """Run programs that read boxes, with the network of a run on scenes in the place of the classifier's."""
    shutil.rmtree(RUN)
    words = ["task=detect", "data.limit=8", "data.batch_size=4", "trainer.max_epochs=1", "model.score=0"]
    imagelab.train(*words, f"hydra.run.dir={RUN}", "trainer=cpu")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for program in found:
            exec(program, {})
    name, score, *corners = out.getvalue().splitlines()[0].split(maxsplit=2)
    assert len(name) == 1
    assert 0 <= float(score) <= 1
    assert len(corners[0].strip("[]").split()) == 4


@pytest.mark.parametrize("title", [title for title, part in SECTIONS.items() if "import imagelab" in part])
def test_the_programs_run(title, place, monkeypatch):
    monkeypatch.chdir(place)
    if title.startswith("detection"):  # room: detection
        boxes_are_printed(programs(SECTIONS[title]))
        return
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for program in programs(SECTIONS[title]):
            shorter = "".join(f'"{word}", ' for word in ("trainer.max_epochs=1", "data.size=32"))
            exec(program.replace("imagelab.train(", f"imagelab.train({shorter}"), names)
            if "probabilities" in program:
                assert np.allclose(np.sum(names["probabilities"], axis=1), 1, atol=1e-5)  # type: ignore[call-overload]
    if "features" in names:
        features = np.asarray(names["features"])
        assert (features.shape, features.dtype) == ((2, 1280), np.float32)
        assert not np.allclose(*features)  # of two pictures
    else:
        assert "probabilities" in names
        assert "'0', '1'" in out.getvalue()


def test_no_command_escapes(tmp_path):
    found = [line for lines in COMMANDS.values() for line in lines]
    lines = re.findall(r"^(?:imagelab|make|source|git clone)\b.*$", README, re.MULTILINE)
    assert len(found) > 50
    assert set(lines) <= set(found)
    with pytest.raises(AssertionError, match="no one checks this line: rm"):
        follow("rm -rf logs", tmp_path)
    with pytest.raises(AssertionError):
        follow("imagelab train optimiser=adam", tmp_path)


def row_of(name: str) -> str:
    (row,) = [line for line in README.splitlines() if line.startswith("|") and name in line]
    return row


def test_the_figure_that_counts_tests_is_true():
    assert f"{len(BEFORE)} of {len(BEFORE)} " in row_of("tests/test_mistakes.py")


def test_the_figures_of_the_zoo_are_those_measured():  # room: checks
    lines = (ROOT / "benchmarks" / "results" / "check_zoo.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for zoo, unit in (("bugs", "planted bugs"), ("blind", "from a list"), ("healthy", "sound runs")):
        found = [one["found"] for one in rows if one["zoo"] == zoo]
        assert f"{sum(found)} of {len(found)} {unit}" in row_of("benchmarks.check_zoo")


def test_the_tree_names_what_is_there():
    tree = re.search(r"^```\n(configs/ .*?)^```$", INDEX, re.MULTILINE | re.DOTALL)
    assert tree is not None
    top = re.findall(r"^(\w+)/", tree.group(1), re.MULTILINE)
    assert all((ROOT / name).is_dir() for name in top)
    own = re.findall(r"^  (\w+\.py(?: \w+\.py)*|(?:\w+/ )+)", tree.group(1), re.MULTILINE)
    names = [name for line in own for name in line.split()]
    assert names
    assert all((ROOT / "src" / "imagelab" / name).exists() for name in names)
    groups = {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()}
    assert all(f"{group}/" in tree.group(1) for group in groups)
