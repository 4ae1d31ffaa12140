"""Lightning's switch for shared batch statistics: which layers are replaced and restored."""

from types import SimpleNamespace

import lightning
import pytest
import torch
from torch import nn

from imagelab.config.compose import compose, plain
from imagelab.config.rules import combinations
from imagelab.model.layer_sync import LayerSync
from imagelab.model.sync_norm import SyncNorm
from imagelab.model.timm import timm_model
from tests.fitting import SHORT, built


def module(net, device):
    """A network in training on such a device."""
    found = lightning.LightningModule()
    found.net = net
    strategy = SimpleNamespace(root_device=torch.device(device))
    found._trainer = SimpleNamespace(strategy=strategy)
    return found


def norms(net):
    return [layer for layer in net.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize(("device", "kind"), [("cpu", SyncNorm), ("cuda", nn.SyncBatchNorm)])
def test_all_norms_are_replaced_with_their_activations_and_restored(device, kind):
    net = timm_model(name="mobilenetv3_small_050", pretrained=False, num_classes=2, in_channels=3, size=32)
    images, before, names = torch.randn(2, 3, 32, 32), norms(net), list(net.state_dict())
    expected = net.eval()(images)
    sync, training = LayerSync(), module(net.train(), device)
    sync.apply(training)
    assert all(isinstance(norm, kind) for norm in norms(net))
    assert len(norms(net)) == len(before)
    assert list(net.state_dict()) == names
    if device == "cpu":
        torch.testing.assert_close(net.eval()(images), expected)
        norms(net)[0].running_mean += 1
        assert not torch.allclose(net(images), expected)
    sync.revert(training)
    assert norms(net) == before
    assert bool(before[0].running_mean.any()) == (device == "cpu")


def test_one_process_keeps_its_norms(tmp_path):
    parts = built(["trainer.sync_batchnorm=true", *SHORT], tmp_path)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert all(type(norm) is nn.BatchNorm2d for norm in norms(parts.classifier))


@pytest.mark.parametrize("norm", ["group", "frozen", "none"])
def test_a_network_without_batch_statistics_is_refused(norm):
    cfg = compose("train", ["trainer.sync_batchnorm=true", f"model.norm={norm}"]).cfg
    assert combinations.problems(plain(cfg)) == [
        f"trainer.sync_batchnorm: model.norm={norm} has no batch statistics to synchronise; "
        "leave one of the two out"
    ]
