"""SWA by the arithmetic mean, with BatchNorm's statistics as computed directly."""

import pytest
import torch
from lightning import Callback
from torch import Tensor, nn

from imagelab.data.image_data import ImageData
from tests.fitting import built
from tests.runs_of_the_command import finish
from tests.trick.averaging import SMALL, average_of, last, recorded

WORDS = ["trick=[swa]", "trick.swa.start=0.5", "schedule=constant", "trainer.max_epochs=6"]


@pytest.mark.parametrize("window", [1, 3])
def test_it_is_the_mean_of_the_weights_at_the_end_of_each_epoch_from_its_start_on(tmp_path, window):
    parts, steps = recorded([*WORDS, f"trainer.accumulate_grad_batches={window}"], tmp_path)
    each = -(-4 // window)  # steps of an epoch, the last one of fewer batches
    assert len(steps) == 6 * each
    snapshots = steps[3 * each - 1 :: each]  # after epochs 3 to 6
    assert average_of(parts).updates == len(snapshots) == 4
    for name, _ in parts.classifier.net.named_parameters():
        mean = torch.stack([snapshot[name] for snapshot in snapshots]).mean(0)
        torch.testing.assert_close(average_of(parts).weights[name], mean, rtol=1e-5, atol=1e-7, msg=name)


def statistics(net: nn.Module, data: ImageData, batches: int, epoch: int, ranks: int) -> dict[str, Tensor]:
    """Mean over batches of each BatchNorm's batch mean and unbiased variance."""
    found: dict[str, list[Tensor]] = {}
    layers = {name: one for name, one in net.named_modules() if isinstance(one, nn.BatchNorm2d)}

    def look(name):
        def hook(_, given):
            found.setdefault(f"{name}.running_mean", []).append(given[0].mean((0, 2, 3)))
            found.setdefault(f"{name}.running_var", []).append(given[0].var((0, 2, 3)))

        return hook

    hooks = [layer.register_forward_pre_hook(look(name)) for name, layer in layers.items()]
    net.train()
    for rank in range(ranks):
        loader = data.train_loader(epoch=epoch, start=0, rank=rank, ranks=ranks)
        for batch in list(loader)[:batches]:
            net(data.prepare_batch(batch, train=True, rank=rank).images)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(values).mean(0) for name, values in found.items()}


@pytest.mark.parametrize("batches", [3, 100])
def test_batchnorm_statistics_come_from_the_same_training_batches(tmp_path, batches):
    words = [*WORDS, f"trick.swa.bn_batches={batches}", "model.dropout=0", "augment=[flip,crop]"]
    parts = recorded(words, tmp_path)[0]
    kept = {name: value.clone() for name, value in average_of(parts).weights.items()}
    wanted = statistics(average_of(parts).net, parts.data, batches, epoch=5, ranks=1)
    assert len(wanted) >= 4
    for name, value in wanted.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-5, msg=name)
    assert {int(value) for name, value in kept.items() if name.endswith("batches_tracked")} == {
        min(batches, 4)
    }


def test_two_processes_average_their_batchnorm_statistics(tmp_path):
    words = [*SMALL, *WORDS, "model.dropout=0", "trainer.max_epochs=2", "trick.swa.bn_batches=1"]
    finish([*words, "trainer=ddp_cpu", f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    average = last(tmp_path / "two")["averages"]["swa"]
    parts = built(words, tmp_path / "one")
    parts.classifier.net.load_state_dict(average)
    wanted = statistics(parts.classifier.net, parts.data, 1, epoch=1, ranks=2)
    for name, value in wanted.items():
        torch.testing.assert_close(average[name], value, rtol=1e-4, atol=1e-5, msg=name)


class StopEarly(Callback):
    """Ends the training after two epochs."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == 1


def test_a_run_that_ends_before_its_start_has_no_average(tmp_path):
    parts = built([*SMALL, *WORDS], tmp_path)
    parts.trainer.callbacks.append(StopEarly())  # pyright: ignore[reportAttributeAccessIssue]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert average_of(parts).updates == 0
    assert not [name for name in parts.trainer.callback_metrics if "swa" in name]
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert (best["weights"], "averages" in best) == ("raw", False)
    assert parts.saver.best["values"].keys() == {"raw"}


def test_a_run_of_one_epoch_averages_its_last_weights(tmp_path):
    parts, steps = recorded(["trick=[swa]", "trainer.max_epochs=1"], tmp_path)
    assert average_of(parts).updates == 1
    for name, _ in parts.classifier.net.named_parameters():
        assert torch.equal(average_of(parts).weights[name], steps[-1][name])
