"""What goes wrong in a run ends in a sentence with what to try; what was trained is kept."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagelab.checkpoints import durable
from imagelab.classifier import Classifier
from imagelab.predictor import Predictor
from imagelab.terminal.failure import sentence
from tests.in_process import Said, imagelab

SHORT = ["trainer=cpu", "trainer.max_epochs=1", "data.limit=300"]
IN_WORKER = "Caught Unreadable in worker 0.\nTraceback:\n  x\nUnreadable: a.jpg: cut"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("\n  bad \n more"), "ValueError: bad."),
        (KeyError(), "KeyError."),
        (RuntimeError(IN_WORKER), "Unreadable: a.jpg: cut."),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "try fewer data.workers."),
        (MemoryError(), "MemoryError. Try a smaller data.batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory. Try a smaller data.batch_size"),
        (RuntimeError('"conv" not implemented for \'Half\''), "Try trainer.precision=32-true."),
        (RuntimeError("killed by signal: Bus error. out of shared memory (shm)."), "Try data.workers=0"),
        (OSError(122, "Disk quota exceeded"), "Free some space; the last checkpoint is intact."),
    ],
)  # fmt: skip
def test_an_error_is_its_first_line_and_what_to_try(error: Exception, said: str) -> None:
    assert said in sentence(error)
    assert "\n" not in sentence(error)


def test_a_library_error_before_training_is_one_sentence_too(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise LookupError("something nobody thought of\nwith more lines")

    monkeypatch.setattr(Classifier, "configure_optimizers", broken)
    said = imagelab("train", *SHORT, folder=tmp_path)
    assert said.status == 2
    assert "LookupError: something nobody thought of. HYDRA_FULL_ERROR=1" in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert "in broken" in imagelab("train", *SHORT, folder=tmp_path).err


def only_run(folder: Path) -> Path:
    (run,) = (folder / "logs/train").iterdir()
    return run


def assert_failed(said: Said, run: Path) -> None:
    assert said.status == 1, said
    assert "Traceback" not in said.err
    assert json.loads((run / "results.json").read_text())["status"] == "failed"
    weights = durable.read(run / "checkpoints/last.ckpt")["state_dict"].values()
    assert all(tensor.isfinite().all() for tensor in weights if tensor.is_floating_point())


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_good_weights(tmp_path):
    said = imagelab("train", "trainer=cpu", "optimizer.lr=1e30", folder=tmp_path)
    run = only_run(tmp_path)
    assert_failed(said, run)
    assert "The training loss became NaN or infinite at step 1 (epoch 1)" in said.err
    assert "a tenth of optimizer.lr" in said.err
    assert f"Last good weights: {run / 'checkpoints/last.ckpt'}" in said.out
    assert "resume=" not in said.out  # it would end the same way


def test_memory_that_runs_out_is_a_sentence_with_what_to_try(tmp_path, monkeypatch):
    step = Classifier.training_step

    def greedy(self, batch, batch_idx):
        if batch_idx == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nSee the manual")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", greedy)
    said = imagelab("train", *SHORT, folder=tmp_path)
    run = only_run(tmp_path)
    assert_failed(said, run)
    assert (
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB. The batch was 128 images" in said.err
    )
    assert "try data.batch_size=64 trainer.accumulate_grad_batches=2" in said.err
    assert "greedy" in (run / "error.log").read_text()
    assert f"Resume with: imagelab train resume={run}" in said.out
    monkeypatch.undo()
    assert imagelab("train", f"resume={run}", folder=tmp_path).status == 0


def test_memory_that_runs_out_in_a_prediction_is_a_sentence_too(digits, tmp_path, monkeypatch):
    def greedy(self, *_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nSee the manual")

    monkeypatch.setattr(Predictor, "predictions", greedy)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    said = imagelab("predict", f"run={digits}", f"source={tmp_path / 'a.png'}", folder=tmp_path)
    assert said.status == 2
    assert said.err.splitlines() == [
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB. Try a smaller batch_size."
    ]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_goes_in_mid_run_is_named_in_one_sentence(tmp_path, photos, workers, monkeypatch):
    images = shutil.copytree(photos, tmp_path / "images")
    save = durable.DurableCheckpoints.save_checkpoint

    def and_damage(self, *arguments, **named):
        save(self, *arguments, **named)
        for path in images.rglob("*.jpg"):
            path.write_bytes(path.read_bytes()[:100])

    monkeypatch.setattr(durable.DurableCheckpoints, "save_checkpoint", and_damage)
    words = ["data=folder", f"data.root={images}", "data.storage=files", f"data.workers={workers}"]
    words += ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=16"]
    said = imagelab("train", *words, folder=tmp_path)
    run = only_run(tmp_path)
    assert_failed(said, run)
    assert len(said.err.splitlines()) == 1
    assert ".jpg: " in said.err
    assert "\n" not in json.loads((run / "results.json").read_text())["error"]
    assert f"Resume with: imagelab train resume={run}" in said.out


def test_a_full_disk_is_told_and_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    save, limits = durable.DurableCheckpoints.save_checkpoint, resource.getrlimit(resource.RLIMIT_FSIZE)
    saved = []

    def onto_a_full_disk(self, *arguments, **named):
        if len(saved) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        saved.append(save(self, *arguments, **named))

    monkeypatch.setattr(durable.DurableCheckpoints, "save_checkpoint", onto_a_full_disk)
    try:
        said = imagelab("train", *SHORT, "trainer.max_epochs=4", "save_every=0", folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    run = only_run(tmp_path)
    assert_failed(said, run)
    assert "cannot be written: the disk is full" in said.err
    assert "The previous file is intact" in said.err
    assert [path.name for path in (run / "checkpoints").glob(".*")] == []
    monkeypatch.undo()
    assert imagelab("train", f"resume={run}", folder=tmp_path).status == 0
