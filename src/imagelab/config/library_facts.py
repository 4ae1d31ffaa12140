"""List facts of library classes, which are not ours to write them into; subclasses inherit them.

This is the only table of class names. A config file has no room for facts: its keys are arguments. The source
of a package that is listed here is not read.
"""

from typing import Any

NO_FINETUNING = (
    "it freezes layers anew, for good, where a run goes on, lets the ranks drift apart, and leaves the "
    "dropout and the batch statistics of frozen layers on; leave it out"
)
NO_AVERAGE = "its average is not what is validated and saved here; say trick=[ema]"
OWN_BAR = "imagelab has its own; leave it out"

REFUSED = {
    "BackboneFinetuning": NO_FINETUNING,
    "BaseFinetuning": NO_FINETUNING,
    "LearningRateFinder": (
        "it gives all parameter groups one rate, and looks for the steepest place on a linear scale, which "
        "suggests far too small ones; say optimizer.lr=LR"
    ),
    "GradientAccumulationScheduler": (
        "it lets Lightning count the steps of a run wrong, so that no schedule ends where it should; "
        "say trick=[batch_growth]"
    ),
    "BatchSizeFinder": (
        "it would change the batch size that the config says, to one without room to spare"
        "; run imagelab find_batch with the same words, then say data.batch_size=N"  # room: finders
    ),
    "StochasticWeightAveraging": "it gives all parameter groups one rate; say trick=[swa]",
    "WeightAveraging": NO_AVERAGE,
    "EMAWeightAveraging": NO_AVERAGE,
    "EarlyStopping": "it trains on where a run goes on after its end; say trick=[early_stopping]",
    "ModelCheckpoint": "every run keeps its best and last checkpoint; say monitor=METRIC, save_every=SECONDS",
    "OnExceptionCheckpoint": "every run keeps its last checkpoint; say save_every=SECONDS",
    "RichProgressBar": OWN_BAR,
    "TQDMProgressBar": OWN_BAR,
}

LIBRARY_FACTS: dict[str, dict[str, Any]] = {
    "torch.nn.CrossEntropyLoss": {"cross_entropy": True},
    "torch.optim.LBFGS": {"line_search": True},
    "timm.optim.Lamb": {"adapts_to_norms": True},
    "timm.optim.Lars": {"adapts_to_norms": True},
} | {f"lightning.pytorch.callbacks.{name}": {"refused": why} for name, why in REFUSED.items()}
