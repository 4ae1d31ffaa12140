"""List facts of library classes, since we cannot declare them in the classes; subclasses inherit them.

This is the only table of class names. A config file cannot hold facts, because its keys are arguments. The
source of a package listed here is not read.
"""

from typing import Any

NO_FINETUNING = (
    "after a resume it freezes layers permanently, its ranks diverge, and it leaves dropout and batch "
    "statistics of frozen layers on; leave it out"
)
NO_AVERAGE = "its average would be neither validated nor saved; set trick=[ema]"
OWN_BAR = "imagelab has its own; leave it out"

REFUSED = {
    "BackboneFinetuning": NO_FINETUNING,
    "BaseFinetuning": NO_FINETUNING,
    "LearningRateFinder": (
        "it gives all parameter groups one rate and picks the steepest point on a linear scale, so its "
        "suggestions are far too small; set optimizer.lr=LR"
    ),
    "GradientAccumulationScheduler": (
        "it makes Lightning miscount the steps of a run, so that schedules end at the wrong step; "
        "set trick=[batch_growth]"
    ),
    "BatchSizeFinder": (
        "it would replace the configured batch size by one that leaves no memory to spare; "
        "run imagelab find_batch with the same words, then "  # room: finders
        "set data.batch_size=N"
    ),
    "StochasticWeightAveraging": "it gives all parameter groups one rate; set trick=[swa]",
    "WeightAveraging": NO_AVERAGE,
    "EMAWeightAveraging": NO_AVERAGE,
    "EarlyStopping": "it keeps training if a stopped run is resumed; set trick=[early_stopping]",
    "ModelCheckpoint": "every run keeps its best and last checkpoint; set monitor=METRIC, save_every=SECONDS",
    "OnExceptionCheckpoint": "every run keeps its last checkpoint; set save_every=SECONDS",
    "RichProgressBar": OWN_BAR,
    "TQDMProgressBar": OWN_BAR,
}

VALUES = ("values",)  # what a task predicts that these losses are for

LIBRARY_FACTS: dict[str, dict[str, Any]] = {
    "torch.nn.CrossEntropyLoss": {"cross_entropy": True},
    "torch.nn.MSELoss": {"judges": VALUES},
    "torch.nn.L1Loss": {"judges": VALUES},
    "torch.nn.HuberLoss": {"judges": VALUES},
    "torch.nn.SmoothL1Loss": {"judges": VALUES},
    "torch.optim.LBFGS": {"line_search": True},
    "prodigyopt.Prodigy": {"one_rate": True, "rate_factor": "d"},
    "schedulefree.AdamWScheduleFree": {"has_modes": True},
    "timm.optim.Lamb": {"adapts_to_norms": True},
    "timm.optim.Lars": {"adapts_to_norms": True},
} | {f"lightning.pytorch.callbacks.{name}": {"refused": why} for name, why in REFUSED.items()}
