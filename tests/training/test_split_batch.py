"""A batch that does not fit in memory is computed in parts: the same step, and nothing is lost."""

import pytest
import torch

from imagelab.build import Parts
from imagelab.config.rules.combinations import problems
from imagelab.model.head import last_layer
from tests.config.rules.test_tasks import composed
from tests.fitting import SHORT, built

PLAIN = [*SHORT, "trainer.max_epochs=2", "model.norm=none", "optimizer=sgd", "optimizer.lr=0.1"]
HALVE = "trainer.on_oom=halve"


def fit(words: list[str], folder, *, room: int | None = None, parts: int = 1) -> Parts:
    """Train with memory for so many images."""
    run = built(words, folder)
    run.classifier.split.parts = parts

    def expect_room(layer: torch.nn.Module, images: tuple) -> None:
        if layer.training and room and len(images[0]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    last = run.classifier.net.get_submodule(last_layer(run.classifier.net)[0])
    last.register_forward_pre_hook(expect_room)  # after the other layers have run
    run.trainer.fit(run.classifier, datamodule=run.data)
    return run


def state(run: Parts) -> dict[str, torch.Tensor]:
    return run.classifier.net.state_dict()


@pytest.mark.parametrize(
    "more", [[], ["trainer.accumulate_grad_batches=2"], ["trainer.precision=bf16-mixed"]]
)
def test_parts_make_the_step_of_the_whole_batch(more, tmp_path):
    whole = fit([*PLAIN, *more], tmp_path / "whole")
    split = fit([*PLAIN, *more, HALVE], tmp_path / "split", room=20)
    assert split.classifier.split.parts == 4
    assert split.trainer.global_step == whole.trainer.global_step
    rtol, atol = (1e-2, 1e-3) if "precision" in str(more) else (1e-5, 1e-6)
    for name, weight in state(whole).items():
        torch.testing.assert_close(state(split)[name], weight, msg=name, rtol=rtol, atol=atol)
    then, now = whole.classifier.history[0], split.classifier.history[0]
    assert now["train/loss"] == pytest.approx(then["train/loss"], rel=1e-2 if more else 1e-5)


def test_what_the_failed_pass_drew_and_counted_leaves_no_trace(tmp_path):
    words = [*SHORT, "model.dropout=0.3", "augment=[flip,mixup]", HALVE]
    failed = fit(words, tmp_path / "failed", room=20)
    planned = fit(words, tmp_path / "planned", parts=4)
    for name, value in state(planned).items():
        assert torch.equal(state(failed)[name], value), name
    assert failed.classifier.history == planned.classifier.history


def test_a_single_image_that_does_not_fit_ends_the_run(tmp_path):
    with pytest.raises(torch.OutOfMemoryError):
        fit([*PLAIN, HALVE, "data.batch_size=4"], tmp_path, room=-1)


def test_without_halve_the_error_passes(tmp_path):
    with pytest.raises(torch.OutOfMemoryError):
        fit(PLAIN, tmp_path, room=20)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["task=simclr", "augment=[crop]"], "compares the images of a whole batch"),
        (["trainer.sync_batchnorm=true"], "equal parts"),
    ],
)
def test_what_parts_would_change_is_refused(words, why):
    (sentence,) = [one for one in problems(composed(*words, HALVE)) if one.startswith("trainer.on_oom")]
    assert why in sentence
    assert "set trainer.on_oom=stop" in sentence
