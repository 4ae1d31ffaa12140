"""Apply `trainer.sync_batchnorm=true` on any device and to any BatchNorm.

Lightning's own plugin uses torch's SyncBatchNorm, which runs only on a GPU and loses the activations that
timm keeps inside its norms.
"""

import logging

from lightning import LightningModule
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.model.replace import replace_layers
from imagelab.model.sync_norm import SyncNorm, share

log = logging.getLogger(__name__)


class LayerSync(TorchSyncBatchNorm):
    """Replaces every BatchNorm while several processes train, and restores it afterwards."""

    def __init__(self) -> None:
        self.plain: dict[nn.Module, _BatchNorm] = {}
        self.on_cpu = True

    def apply(self, model: nn.Module) -> nn.Module:
        assert isinstance(model, LightningModule)
        self.on_cpu = model.trainer.strategy.root_device.type == "cpu"
        if not replace_layers(model, self._synced):
            log.warning("trainer.sync_batchnorm=true changes nothing: this network has no BatchNorm.")
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        replace_layers(model, self._plain)
        self.plain.clear()
        return model

    def _synced(self, layer: nn.Module) -> nn.Module | None:
        from timm.layers.norm_act import convert_sync_batchnorm

        if not isinstance(layer, _BatchNorm) or layer in self.plain:
            return None
        new = SyncNorm(layer) if self.on_cpu else convert_sync_batchnorm(layer)
        self.plain[new] = layer
        return new

    def _plain(self, layer: nn.Module) -> _BatchNorm | None:
        old = self.plain.get(layer)
        if old is not None:
            share(layer, old)
        return old
