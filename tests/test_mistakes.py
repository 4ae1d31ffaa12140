"""What a user gets for a mistake: one clear sentence, the right exit status, and nothing left behind."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.in_process import imagelab
from tests.runs_of_the_command import start, strange

SHORT = ["trainer=cpu", "trainer.max_epochs=1", "data.limit=300"]


def pictures(folder: Path, count: int = 8) -> None:
    """Small pictures of noise; as many as asked for."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)).save(folder / f"{i}.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory, finished_once) -> Path:
    """Folders of pictures with something wrong in each, and a finished run."""
    place = tmp_path_factory.mktemp("place")
    pairs = [f"{name}/{kind}" for name in ("fine", "hollow", "bad") for kind in ("cat", "dog")]
    for name in (*pairs, "one/cat", "new/x"):
        pictures(place / name)
    for name in ("late/train/cat", "late/train/dog", "late/test/cat", "late/test/mouse"):
        pictures(place / name, 2)
    (place / "hollow/mouse").mkdir()
    (place / "void").mkdir()
    (place / "bad/cat/0.png").write_bytes(b"no picture")
    (place / "bad/dog/1.png").write_bytes((place / "bad/dog/1.png").read_bytes()[:300])
    (place / "new/labels.csv").write_text("name,cls\nx/0.png,1\n")
    for name, table in {"garbled": b"file,label\n\xff\xfe\x00", "gone": b"file,label\nx/9.png,a\n"}.items():
        (place / name).mkdir()
        (place / name / "labels.csv").write_bytes(table)
    (place / "file").write_text("no folder, no checkpoint")
    run = shutil.copytree(finished_once, place / "run")
    (place / "cut.ckpt").write_bytes((run / "checkpoints/best.ckpt").read_bytes()[:-2000])
    return place


BEFORE = {  # words -> what the one sentence says, in this order
    # data
    "data=folder data.root=PLACE/fin": "data.root=PLACE/fin does not exist|did you mean 'fine'?",
    "data=folder data.root=PLACE/file": "data.root=PLACE/file is a file; set it to a folder",
    "data=folder data.root=PLACE/void": "PLACE/void has no class folders (it is empty)|labels.csv",
    "data=folder data.root=PLACE/one": "PLACE/one has only one class (cat): add",
    "data=folder data.root=PLACE/hollow": "without pictures in PLACE/hollow: mouse (it is empty)",
    "data=folder data.root=PLACE/late": "test has classes that train does not have: mouse; add",
    "data=folder data.root=PLACE/new": "PLACE/new/labels.csv must have|file,label[,split], got name,cls",
    "data=folder data.root=PLACE/garbled": "PLACE/garbled/labels.csv cannot be read|CSV in UTF-8",
    "data=folder data.root=PLACE/gone": "files that do not exist: PLACE/gone/x/9.png (line 2)",
    "data=folder data.root=PLACE/fine data.manifest=PLACE/void": "data.manifest=PLACE/void is a folder",
    "data=folder data.root=PLACE/fine data.manifest=x.csv": "data.manifest=x.csv does not exist",
    "data=folder data.root=PLACE/fine data.classes=[cat,dgo]": "no class 'dgo' among cat, dog; did you mean",
    "data=folder data.root=PLACE/fine data.classes=[cat] data.batch_size=2": "least 2 classes|found 1: cat",
    "data=folder data.root=PLACE/fine": "data.batch_size: 128 is more than the 10|set it to full",
    "data=cifar10 data.root=PLACE/file": "data.root=PLACE/file is a file",
    "data=cifar10 data.download=false": "CIFAR10 is not in CWD/data; set data.download=true",
    "data.classes=[1,12]": "data.classes: there is no class '12' among 0, 1, 2",
    "data.limit=4": "data.limit: 4 images cannot cover all 10 classes; set 10 or more",
    "data.size=0": "data.size: wants 1 or more, got 0",
    "data.batch_size=-3": "data.batch_size: wants 1 or more, got -3",
    "data.batch_size=5000": "data.batch_size: 5000 is more than the 1295 training images",
    "data.val_fraction=0.999": "data.test_fraction and data.val_fraction: 1,795 of 1,797 images are held out",
    # augmentations
    "augment=[crop] augment.crop.size=40": "augment.crop.size=40 is larger than the image: 8 pixels",
    "augment=[crop] augment.crop.pad=8": "augment.crop.pad=8 mirrors 8 pixels of an image of 8",
    "augment=[crop] augment.crop.scale=[0.9,0.1]": "augment.crop.scale: wants two rising numbers in",
    "augment=[cutout] augment.cutout.size=8": "augment.cutout.size=8 pixels hides all of an image of 8",
    "augment=[flip] augment.flip.p=2": "augment.flip.p: wants a number in [0, 1], got 2",
    "augment=[mixup] augment.mixup.alpha=0": "augment.mixup.alpha: wants a number above 0|it out, got 0",
    "augment=[mixup,cutmix] data.batch_size=1": "mixup and cutmix blend the images of a batch",
    # network and weights
    "model=timm model.name=resnett18": "model.name=resnett18: timm has no such|'resnet18'",
    "model=torchvision model.name=resnet8": "model.name=resnet8: torchvision has no such|'resnet18'",
    "model.widths=[0,1]": "model.widths: wants 1 or more for each, got [0, 1]",
    "model.dropout=2": "model.dropout: wants a probability in [0, 1), or null, got 2",
    "model.dropout2d=-0.1": "model.dropout2d: wants a probability in [0, 1), or null, got -0.1",
    "model.stochastic_depth=0.2": "model.stochastic_depth drops residual branches, and SmallCNN has none",
    "model=torchvision model.name=convnext_tiny data.size=32 model.pool=fractional_max": "ConvNeXt has none",
    "model.weights=PLACE/rn": "model.weights=PLACE/rn: there is no PLACE/rn; did you mean 'PLACE/run'?",
    "model.weights=PLACE/fine": "model.weights=PLACE/fine: there is no checkpoints/best.ckpt in that folder",
    "model.weights=PLACE/file": "The checkpoint PLACE/file is damaged or cut off",
    "model.weights=PLACE/cut.ckpt": "The checkpoint PLACE/cut.ckpt is damaged or cut off",
    "model.weights=PLACE/run model=resnet9": "does not fit this ResNet9|head.weight|prep.0",
    "model.weights=PLACE/run model.widths=[32,64,65]": "6 differ in shape (features.8.weight: (64, 64, 3, 3)",
    "model.weights=PLACE/run model.init=small": "model.init: model.weights loads trained weights",
    "model=timm model.pretrained=true model.norm=group": "model.norm: model.pretrained=true was trained with",
    # training
    "optimizer.betas=[0.9,1.5]": "optimizer.betas: wants a number in [0, 1) for each, got [0.9, 1.5]",
    "optimizer._target_=torch.optim.AdmW": "torch.optim has no AdmW; did you mean 'AdamW'?",
    "schedule.warmup=5000": "schedule.warmup: wants fewer steps than the 200 of the whole run, got 5000",
    "schedule.pct_start=2": "schedule.pct_start: wants a number in [0, 1], got 2",
    "trick=[early_stopping] trick.early_stopping.monitor=val/los": "no metric 'val/los'; did you mean",
    "trick=[early_stopping] trick.early_stopping.monitor=val/accuracy": "wants max for val/accuracy, got min",
    "trick=[early_stopping] trick.early_stopping.patience=0": "patience: wants 1 or more, got 0",
    "monitor=val/accuracy_top5": "val/accuracy_top5 needs more than 10 classes|have 10",
    "trainer.precision=fp16": "trainer.precision: there is no 'fp16'; choose from 32-true, 16-mixed",
    "trainer.accelerator=gpuu": "trainer.accelerator: there is no 'gpuu'; did you mean 'gpu'?",
    "trainer=cpu trainer.devices=0": "trainer.devices: wants -1 for all devices, or 1 or more, got 0",
    "trainer=cpu trainer.strategy=ddpp": "Trainer rejects its arguments|strategy='ddpp'",
    "trainer.max_epochs=-1": "trainer.max_epochs: wants 1 or more, got -1",
    # folders
    "hydra.run.dir=PLACE/run": "PLACE/run is the folder of another run; resume|resume=PLACE/run",
    "hydra.run.dir=PLACE/fine": "PLACE/fine holds other files|: hydra.run.dir=NEW",
    "hydra.run.dir=PLACE/file": "PLACE/file is a file|: hydra.run.dir=NEW",
    "hydra.run.dir=PLACE/file/x": "The folder PLACE/file/x cannot be created",
    "hydra.run.dir=a/b/c data.batch_size=5000": "data.batch_size: 5000 is more than",
    "hydra.run.dir=a/${seed} data.batch_size=5000": "data.batch_size: 5000 is more than",
    # going on
    "resume=PLACE/run": "resume=PLACE/run: this run has finished; `imagelab evaluate run=PLACE/run`",
    "resume=PLACE/fine": "resume=PLACE/fine is not the folder of a run (no config.yaml in it)",
    "resume=PLACE/nowhere": "resume=PLACE/nowhere is not the folder of a run",
    "resume=last": "resume=last: every run below logs/ has finished",
    "+resume=PLACE/nowhere": "resume=PLACE/nowhere is not the folder of a run",
    "-m resume=PLACE/run": "resume continues one run in its own folder; leave out -m",
}


@pytest.mark.parametrize("words", BEFORE)
def test_a_mistake_is_one_sentence_and_creates_no_files(words, place, tmp_path):
    before = sorted(place.rglob("*"))
    said = imagelab("train", *words.replace("PLACE", str(place)).split(), folder=tmp_path)
    said_of = said.err.replace(str(place), "PLACE").replace(str(tmp_path), "CWD")
    assert said.status == 2, said
    sentences = [line for line in said_of.splitlines() if line != "This run cannot start:"]
    assert len(sentences) == 1, said_of
    for part in BEFORE[words].split("|"):
        assert part in sentences[0]
    assert list(tmp_path.iterdir()) == []
    assert sorted(place.rglob("*")) == before


def test_all_unreadable_images_are_named_at_once(place, tmp_path):
    said = imagelab("train", *folder_words(place, "bad"), folder=tmp_path)
    assert said.status == 2
    assert "2 of 16 pictures cannot be read" in said.err
    assert "bad/cat/0.png: not a picture" in said.err
    assert "bad/dog/1.png: image file is truncated" in said.err
    assert list(tmp_path.iterdir()) == []


def folder_words(place: Path, name: str) -> list[str]:
    return [*SHORT, "data=folder", f"data.root={place / name}", "data.batch_size=4", "data.limit=null"]


def test_skipped_unreadable_images_are_still_named(place, tmp_path):
    said = imagelab("train", *folder_words(place, "bad"), "data.on_bad_image=skip", folder=tmp_path)
    assert said.status == 0, said
    assert "left out 2 of 16 pictures that cannot be read" in said.out
    assert "bad/cat/0.png: not a picture" in said.out


def test_a_sweep_in_which_no_trial_starts_creates_no_files(tmp_path):
    said = imagelab("train", "-m", "seed=1,2", "data.batch_size=5000", folder=tmp_path)
    assert said.status == 2
    assert said.err.count("data.batch_size: 5000 is more than") == 2
    assert said.err.splitlines()[-2:] == ["  seed=1 data.batch_size=5000", "  seed=2 data.batch_size=5000"]
    assert list(tmp_path.iterdir()) == []


def test_an_existing_empty_run_folder_is_used(tmp_path):
    (tmp_path / "mine").mkdir()
    assert imagelab("train", *SHORT, f"hydra.run.dir={tmp_path / 'mine'}", folder=tmp_path).status == 0
    assert (tmp_path / "mine/results.json").exists()


def test_a_normal_run_prints_nothing_but_its_own_lines(place, tmp_path):
    words = ["data=folder", f"data.root={place / 'fine'}", "data.batch_size=4", "data.storage=files"]
    words += ["data.workers=1", "augment=[crop,color_jitter,mixup]", *SHORT[:2]]
    run = start(words, tmp_path, environment={"IMAGELAB_CACHE": str(tmp_path / "cache")})
    said = run.communicate(timeout=240)[0]
    assert run.returncode == 0, said
    assert strange(said) == []  # tests/test_startup.py has a real start
