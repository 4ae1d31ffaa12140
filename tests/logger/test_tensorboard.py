"""TensorBoard: curves and pictures lie in the run's folder and can be read back."""

import pytest
from lightning import Trainer

from imagelab.logger import tensorboard as module
from imagelab.logger.closing import close_all
from imagelab.logger.pictures import AugmentedPictures
from imagelab.logger.tensorboard import tensorboard_logger
from imagelab.problem import Problem


def test_curves_and_pictures_of_a_resumed_run_are_read_back_from_its_folder(
    tmp_path, preprocess, captions, batch
):
    pytest.importorskip("tensorboard", reason="needs imagelab[tensorboard]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = tensorboard_logger(folder=tmp_path)
    logger.log_hyperparams({"optimizer": {"lr": 0.5}})
    trainer = Trainer(accelerator="cpu", logger=logger, enable_progress_bar=False, enable_checkpointing=False)
    pictures = AugmentedPictures(preprocess=preprocess, captions=captions, folder=tmp_path)
    pictures.on_train_batch_end(trainer, None, None, batch, 0)  # type: ignore[arg-type]
    logger.log_metrics({"epoch": 0, "lr/weights": 0.5}, step=1)
    logger.finalize("success")
    resumed = tensorboard_logger(folder=tmp_path)
    resumed.log_metrics({"epoch": 0, "lr/weights": 0.5}, step=1)  # repeated since the checkpoint was older
    resumed.log_metrics({"epoch": 0, "lr/weights": 0.25}, step=2)
    resumed.finalize("success")  # as Lightning does when the training ends
    resumed.log_metrics({"test/accuracy": 0.75}, step=2)
    close_all([resumed], failed=False)

    events = EventAccumulator(str(tmp_path / "tensorboard"), purge_orphaned_data=False)
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("lr/weights")] == [(1, 0.5), (2, 0.25)]
    assert [event.value for event in events.Scalars("test/accuracy")] == [0.75]
    assert events.Images("images/augmented")[0].width == 2 * (96 + 2)
    assert {path.name for path in tmp_path.iterdir()} == {"tensorboard", "images"}


def test_without_the_package_the_command_to_install_it_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"package tensorboard.*uv pip install 'imagelab\[tensorboard\]'"):
        tensorboard_logger(folder=tmp_path)
