"""Nothing read from a file runs code: hostile targets in any kind of file, pickles, overrides of a sweep."""

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

import imagelab
from imagelab.checkpoints import durable
from imagelab.checkpoints.card import KEY, card_of, written
from imagelab.config import menu
from imagelab.config.trust import VARIABLE, take_words, trusted, trusting
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.sweep import started  # room: sweep
from tests import in_process

HERE = Path(__file__).parent
RUNS_CODE = (HERE / "hostile_targets.txt").read_text().splitlines()
BOMBS = (HERE / "pickle_bombs.txt").read_text().splitlines()


def touch(path: str = "", **_: Any) -> str:
    """What a hostile file would have us call."""
    Path(path).write_text("executed")
    return path


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "executed"


def hostile(target: str, canary: Path) -> dict[str, Any]:
    return {"_target_": target, "path": str(canary), "command": f"touch {canary}", "args": [str(canary)]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    words = ("train", "trainer.max_epochs=1", "data.limit=200", "logger=[]", "model.widths=[8]")
    assert in_process.imagelab(*words, f"hydra.run.dir={folder}", folder=folder.parent).status == 0
    return folder


@pytest.fixture(scope="module")
def content(run) -> dict[str, Any]:
    """What the checkpoint of the run holds, for tests to change in a copy."""
    return torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def rest_of_config(run) -> str:
    """The config of the run without its model."""
    config = yaml.safe_load((run / files.CONFIG).read_text())
    return yaml.safe_dump({key: value for key, value in config.items() if key != "model"})


@pytest.mark.parametrize("target", RUNS_CODE)
def test_what_could_run_code_is_not_trusted_in_any_file(target, canary, tmp_path, content, rest_of_config):
    card = content["imagelab"]
    task = SimpleNamespace(names=card["classes"])
    for place, model in {
        "top": hostile(target, canary),
        "nested": card["model"] | {"widths": hostile(target, canary)},
        "list": card["model"] | {"widths": [{"deep": [hostile(target, canary)]}]},
    }.items():
        checkpoint, weights = tmp_path / f"{place}.ckpt", tmp_path / f"{place}.safetensors"
        torch.save(content | {"imagelab": card | {"model": model}}, checkpoint)

        save_file(
            {"a": torch.zeros(1)},
            weights,
            metadata={KEY: written(card_of(card, "raw", task) | {"model": model})},
        )
        (tmp_path / place).mkdir()
        (tmp_path / place / files.CONFIG).write_text(rest_of_config + yaml.safe_dump({"model": model}))
        sweep = {"typed": [], "choice": model, "fixed": [], "space": {}, "monitor": "val/loss"}  # room: sweep
        (tmp_path / place / started.FILE).write_text(yaml.safe_dump(sweep))  # room: sweep
        for look in (
            lambda path=checkpoint: imagelab.load(path),
            lambda path=weights: imagelab.load(path),
            lambda path=tmp_path / place: files.read_config(path),
            lambda path=tmp_path / place: started.read(path),  # room: sweep
        ):
            with pytest.raises(Problem, match="could run any code") as refused:
                look()
            assert "trust=" in str(refused.value)
            assert target[:40] in str(refused.value)
    assert not canary.exists()


@pytest.mark.parametrize("name", BOMBS)
def test_a_pickle_that_calls_something_is_never_loaded(name, canary, tmp_path):
    module, _, function = name.rpartition(".")
    stream = f"c{module}\n{function}\n(V{canary}\ntR.".encode()  # call the function with the path
    bomb = tmp_path / "bomb.ckpt"
    buffer = io.BytesIO()
    torch.save({"imagelab": 1}, buffer)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(bomb, "w") as archive:
        for entry in whole.infolist():
            archive.writestr(
                entry.filename, stream if entry.filename.endswith("data.pkl") else whole.read(entry)
            )
    with pytest.raises(Problem, match="holds more than plain data"):
        durable.read(bomb)
    with pytest.raises(Problem, match="holds more than plain data"):
        imagelab.load(bomb)
    assert not canary.exists()


def test_the_hostile_targets_would_run_code_elsewhere(canary):
    pickle.loads(f"c{__name__}\ntouch\n(V{canary}\ntR.".encode())
    assert canary.read_text() == "executed"
    assert len(BOMBS) == 24
    assert len(RUNS_CODE) >= 78


@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        "predict source=a.png",
        "report",  # room: reports
        "export",  # room: exporting
        "train resume",
    ],
)
def test_no_command_runs_what_a_run_folder_names(command, canary, tmp_path, run):
    folder = tmp_path / "stranger"
    shutil.copytree(run, folder)
    (folder / "results.json").unlink()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    model = {"_target_": f"{__name__}.touch", "path": str(canary)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"model": config["model"] | model}))
    checkpoints = [folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt")]
    for file in checkpoints:
        content = torch.load(file, weights_only=True)
        content["imagelab"]["model"] |= model
        torch.save(content, file)
    name, *more = command.split()
    words = [f"resume={folder}"] if more == ["resume"] else [f"run={folder}", *more]
    (tmp_path / "a.png").write_bytes((Path(__file__).parents[2] / "docs/pictures/report.png").read_bytes())
    said = in_process.imagelab(name, *words, folder=tmp_path)
    assert said.status == 2
    assert f"{__name__}.touch" in said.err
    assert f"trust={__name__}" in said.err
    assert not canary.exists()


def test_all_shipped_choices_and_library_networks_are_trusted():
    text = "\n".join(file.read_text() for file in menu.folder().rglob("*.yaml"))
    named = {line.split(":", 1)[1].split("#")[0].strip() for line in text.splitlines() if "_target_:" in line}
    assert len(named) > 80
    assert all(map(trusted, named))
    assert all(map(trusted, ("torchvision.models.resnet18", "torch.nn.Linear", "timm.create_model")))


def test_a_class_in_the_package_is_trusted_and_what_it_imports_is_not():
    assert trusted("imagelab.trick.ema.EMA")
    assert not trusted("imagelab.trick.ema.nn.Module")
    assert not trusted("imagelab.training.saver.Saver")


def test_trust_is_given_by_name_and_ends_with_its_block(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not trusted("birds.nets.Net")
    with trusting(["birds.nets"]):
        assert trusted("birds.nets.Net")
        assert not trusted("birds.netsuke.Net")
    assert not trusted("birds.nets.Net")
    monkeypatch.setenv(VARIABLE, "")
    assert take_words(["run=a", "trust=[birds,bees.Net]"]) == ["run=a"]
    assert trusted("birds.nets.Net")
    assert trusted("bees.Net")
    assert not trusted("bees.Other")


def test_text_that_a_resolver_would_turn_into_a_node_is_not_resolved(canary, tmp_path, run):
    """OmegaConf makes a node of `${oc.create:{...}}`, which Hydra would then instantiate."""
    node = f"${{oc.create:{{_target_: {__name__}.touch, path: '{canary}'}}}}"
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    card = content["imagelab"]
    torch.save(
        content | {"imagelab": card | {"model": card["model"] | {"widths": node}}}, tmp_path / "a.ckpt"
    )
    with pytest.raises(Problem, match="could run any code"):
        imagelab.load(tmp_path / "a.ckpt")
    folder = tmp_path / "stranger"
    shutil.copytree(run, folder)
    (folder / "results.json").unlink()
    config = yaml.safe_load((run / files.CONFIG).read_text())
    (folder / files.CONFIG).write_text(
        yaml.safe_dump(config | {"trainer": config["trainer"] | {"max_epochs": node}})
    )
    said = in_process.imagelab("train", f"resume={folder}", folder=tmp_path)
    assert said.status == 2
    assert "oc.create" in said.err
    assert not canary.exists()


def test_a_class_may_be_called_like_a_resolver(tmp_path, run):
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    names = ["${a:b}", *content["imagelab"]["classes"][1:]]
    torch.save(content | {"imagelab": content["imagelab"] | {"classes": names}}, tmp_path / "a.ckpt")
    assert imagelab.load(tmp_path / "a.ckpt").classes == names


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("model", "does not describe"),
        ("preprocess", "its preprocess is not what this project writes"),
        ("task_config", "does not describe"),
    ],
)
def test_a_card_that_is_no_card_is_a_sentence(damage, sentence, tmp_path, run):
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(content | {"imagelab": content["imagelab"] | {damage: "text"}}, tmp_path / "a.ckpt")
    with pytest.raises(Problem, match=sentence):
        imagelab.load(tmp_path / "a.ckpt")


def test_a_run_with_a_custom_module_resumes_once_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    folder = tmp_path / "own"
    target = "tests.config.own_net.OwnNet"
    words = [
        "trainer.max_epochs=1",
        "data.limit=200",
        "logger=[]",
        "model.widths=[8]",
        f"model._target_={target}",
    ]
    assert in_process.imagelab("train", *words, f"hydra.run.dir={folder}", folder=tmp_path).status == 0
    monkeypatch.setenv(VARIABLE, "")
    refused = in_process.imagelab("evaluate", f"run={folder}", folder=tmp_path)
    assert (refused.status, "trust=tests.config.own_net" in refused.err) == (2, True)
    assert os.environ[VARIABLE] == ""
    with pytest.raises(Problem, match="trust=tests"):
        imagelab.load(folder)
    assert len(imagelab.load(folder, trust=["tests.config.own_net"]).classes) == 10
    assert (
        in_process.imagelab("evaluate", f"run={folder}", "trust=tests.config.own_net", folder=tmp_path).status
        == 0
    )
