"""What tests share: the real images, where they are present; photos; a finished run."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tests share the cores, and some fork

import atexit

if "PYTEST_XDIST_WORKER" in os.environ:  # to take all apart takes a second or two, and its results are sent
    atexit.register(os._exit, 0)  # the first that is registered is the last that is called

import fcntl
import functools
import gc
import shutil
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.composing import compose_each_list_once

ROOT = Path(__file__).parents[1]
collect_ignore = ["warm.py"]  # has no doctests, and imports for processes of their own

compose_each_list_once()
metadata.entry_points = functools.cache(metadata.entry_points)  # every trainer asks all that is installed
gc.disable()  # until all is imported: hardly any of it is garbage


def pytest_collection_finish() -> None:
    """Let the garbage collector see only what tests make: what is imported costs it a second each time."""
    gc.enable()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()


def archive_folder() -> Path:
    """The folder with cifar10.tar.xz and hymenoptera.tar: $IMAGELAB_TEST_DATA, or ../shared/data."""
    return Path(os.environ.get("IMAGELAB_TEST_DATA", ROOT.parent / "shared" / "data"))


def unpacked(name: str, archive: str, inside: str = "train") -> Path:
    """Unpack an archive of real images, down to the folder that holds `inside`, once per machine, or skip."""
    source = archive_folder() / archive
    if not source.exists():
        pytest.skip(f"no {source}: set IMAGELAB_TEST_DATA to a folder that holds {archive}")
    target = Path(tempfile.gettempdir()) / "imagelab-data" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch, tarfile.open(source) as tar:
            tar.extractall(scratch, filter="data")
            top = Path(scratch)
            while not (top / inside).exists():  # the archive's own top folder
                top = next(p for p in top.iterdir() if p.is_dir())
            try:
                top.rename(target)
            except OSError:  # another test process was faster
                assert target.exists()
    return target


@pytest.fixture(scope="session")
def cifar10() -> Path:
    """CIFAR-10 as JPEG: train/<class>/NNNN.jpg, test/<class>/NNNN.jpg."""
    return unpacked("cifar10", "cifar10.tar.xz")


@pytest.fixture(scope="session")
def hymenoptera() -> Path:
    """Ants and bees: train/<class>/, val/<class>/; one file is a GIF that is no photo."""
    return unpacked("hymenoptera", "hymenoptera.tar")


@pytest.fixture(scope="session")
def bccd() -> Path:  # room: detection
    """Photos of blood cells with boxes, as Pascal VOC."""
    return unpacked("bccd", "bccd.tar", inside="Annotations")


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """120 small pictures of two classes, which a folder of photos stands for."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label, name in enumerate(["dark", "light"]):
        (root / name).mkdir()
        for i in range(64):
            pixels = rng.integers(0, 160, (32, 28, 3)) + 95 * label
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{i:03}.jpg")
    return root


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory) -> Path:
    """A finished run of three epochs on digits, made once for all test processes: not to be changed."""
    from tests.in_process import trained

    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (base / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = base / "finished" / "run"
        if not (run / "results.json").exists():
            run.parent.mkdir(exist_ok=True)
            trained(
                "trainer.max_epochs=3", "data.limit=600", "trainer.log_every_n_steps=2", folder=run.parent
            )
        return run


@pytest.fixture(scope="module")
def digits(finished_once, tmp_path_factory) -> Path:
    """A copy of the finished run for one file of tests, which may add to it."""
    return shutil.copytree(finished_once, tmp_path_factory.mktemp("digits") / "run")
