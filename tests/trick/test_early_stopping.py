"""Early stopping ends at the right epoch, also when the run was killed just after the decision."""

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch.utils.data import DataLoader, TensorDataset

from imagelab.trick.early_stopping import EarlyStopping

LOSSES = [1.0, 0.8, 0.9, 0.79, 0.8, 0.81, 0.82, 0.5, 0.4]


class Net(LightningModule):
    """Its validation loss is known: LOSSES, one an epoch."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.trained = []

    def training_step(self, batch, index):
        self.trained.append(self.current_epoch)
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, index):
        loss = LOSSES[self.current_epoch]
        self.log_dict({"val/loss": loss, "val/accuracy": 1 - loss})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Save(Checkpoint):
    """A checkpoint after every epoch, at the place where the project writes its own."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.folder / f"{trainer.current_epoch}.ckpt")


def fit(folder, resume=None, monitor="val/loss", mode="min", patience=3, min_delta=0.0):
    net = Net()
    stopping = EarlyStopping(monitor=monitor, mode=mode, patience=patience, min_delta=min_delta)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=len(LOSSES),
        callbacks=[stopping, Save(folder)],
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
    )
    loader = DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=4)
    trainer.fit(net, loader, loader, ckpt_path=resume)
    return net.trained, trainer.current_epoch


@pytest.mark.parametrize(
    ("patience", "min_delta", "epochs"),
    [
        (1, 0.0, 3),  # 0.9 after 0.8
        (2, 0.0, 6),  # 0.8 and 0.81 after 0.79
        (3, 0.0, 7),  # and 0.82
        (4, 0.0, len(LOSSES)),  # 0.5 comes in time
        (2, 0.05, 4),  # 0.79 is no improvement on 0.8
    ],
)
def test_training_stops_after_patience_epochs_without_improvement(tmp_path, patience, min_delta, epochs):
    trained, counted = fit(tmp_path, patience=patience, min_delta=min_delta)
    assert trained == list(range(epochs))
    assert counted == epochs


def test_with_mode_max_higher_values_are_improvements(tmp_path):
    assert fit(tmp_path, monitor="val/accuracy", mode="max") == fit(tmp_path)


@pytest.mark.parametrize("killed_after", range(7))
def test_a_run_killed_after_any_epoch_ends_where_an_uninterrupted_one_does(tmp_path, killed_after):
    trained, counted = fit(tmp_path)
    assert trained == list(range(7))
    rest, resumed = fit(tmp_path, resume=tmp_path / f"{killed_after}.ckpt")
    assert rest == list(range(killed_after + 1, 7))
    assert resumed == counted


def test_its_state_is_plain_data(tmp_path):
    fit(tmp_path)
    state = torch.load(tmp_path / "6.ckpt", weights_only=True)["callbacks"]
    assert next(value["wait_count"] for key, value in state.items() if "EarlyStopping" in key) == 3
