"""Tricks that cannot go together, or not with the rest: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator

from imagelab.config.schema import Node

# Lightning's callbacks that go wrong here, or do what is there already, and what to say instead.
FINETUNING = (
    "it freezes layers anew, for good, where a run goes on, lets the ranks drift apart, and leaves the "
    "dropout and the batch statistics of frozen layers on; leave it out"
)
LIGHTNINGS = {
    "BackboneFinetuning": FINETUNING,
    "BaseFinetuning": FINETUNING,
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
    "WeightAveraging": "its average is not what is validated and saved here; say trick=[ema]",
    "EMAWeightAveraging": "its average is not what is validated and saved here; say trick=[ema]",
    "EarlyStopping": "it trains on where a run goes on after its end; say trick=[early_stopping]",
    "ModelCheckpoint": "every run keeps its best and last checkpoint; say monitor=METRIC, save_every=SECONDS",
    "OnExceptionCheckpoint": "every run keeps its last checkpoint; say save_every=SECONDS",
    "RichProgressBar": "imagelab has its own; leave it out",
    "TQDMProgressBar": "imagelab has its own; leave it out",
}

WATCHERS = ("PredictionDynamics", "ActivationStats", "GradientNoiseScale", "FirstLayer")
CYCLES = ("CosineRestarts",)  # schedules that fall several times to their end, and say when


def target(node: Node) -> str:
    """The last word of what a node builds."""
    return str(node["_target_"]).rpartition(".")[2]


def _lightnings_own_are_replaced(cfg: Node) -> Iterator[str]:
    for name, node in cfg["trick"].items():
        package = str(node["_target_"]).partition(".")[0]
        if package in ("lightning", "pytorch_lightning") and target(node) in LIGHTNINGS:
            yield f"trick.{name}: not {target(node)} of Lightning: {LIGHTNINGS[target(node)]}"


def _one_thing_clips(cfg: Node) -> Iterator[str]:
    value = cfg["trainer"].get("gradient_clip_val")
    for name in _of(cfg, "AGC") if value is not None else ():
        yield f"trick.{name}: trainer.gradient_clip_val={value} clips too; leave one of the two out"


def _clipping_sees_plain_gradients(cfg: Node) -> Iterator[str]:
    names = list(_of(cfg, "AGC"))
    if names and target(cfg["optimizer"]) == "LBFGS":
        yield f"trick.{names[0]}: the line search of LBFGS needs whole gradients; leave it out"
    clips = names or cfg["trainer"].get("gradient_clip_val") is not None
    half = str(cfg["trainer"].get("precision")) in ("16", "16-mixed")
    if clips and half and cfg["optimizer"].get("fused"):
        yield (
            "optimizer.fused: under trainer.precision=16-mixed the gradients are scaled up until within the "
            "fused step: nothing can clip them; say trainer.precision=bf16-mixed, or optimizer.fused=false"
        )


def _growing_batches_can_grow(cfg: Node) -> Iterator[str]:
    for name in _of(cfg, "BatchGrowth"):
        if target(cfg["optimizer"]) == "LBFGS":
            yield (
                f"trick.{name}: LBFGS asks for the loss of one batch several times a step, which growing "
                "batches by accumulation mixes up; leave it out"
            )
        elif cfg["data"]["batch_size"] == "full":
            yield f"trick.{name}: data.batch_size=full is all images a step and cannot grow; say a number"


def _groups_are_made_here(cfg: Node) -> Iterator[str]:
    if cfg["optimizer"].get("layer_decay") is not None:
        yield (
            "optimizer.layer_decay: timm would leave it without effect, since the optimizer is given its "
            "parameter groups, each with its rate; leave it out"
        )


def _watchers_see_what_they_watch(cfg: Node) -> Iterator[str]:
    strategy = str(cfg["trainer"].get("strategy"))
    task = target(cfg["task"])
    for name in (name for kind in WATCHERS for name in _of(cfg, kind)):
        if "fsdp" in strategy or "deepspeed" in strategy:
            yield f"trick.{name}: looks at whole layers, which {strategy} has cut up; say trainer=ddp"
    for name in _of(cfg, "PredictionDynamics") if task != "Classify" else ():
        yield f"trick.{name}: shows the probabilities of classes, and {task} learns without any; leave it out"
    for name in _of(cfg, "GradientNoiseScale"):
        if task == "SimCLR":
            yield (
                f"trick.{name}: is of a loss that is a mean over images, and SimCLR compares each with the "
                "others of its batch; leave it out"
            )
        if target(cfg["optimizer"]) == "LBFGS":
            yield f"trick.{name}: LBFGS takes all images a step, without any noise to measure; leave it out"
        if cfg["data"]["batch_size"] == 1:
            yield f"trick.{name}: compares halves of a batch, got batches of 1; say data.batch_size=2 or more"


def _snapshots_have_cycles(cfg: Node) -> Iterator[str]:
    schedule = str(cfg["schedule"]["_target_"])
    for name in _of(cfg, "Snapshots"):
        if schedule.startswith("imagelab.") and target(cfg["schedule"]) not in CYCLES:
            yield (
                f"trick.{name}: keeps the weights at the end of each cycle of the schedule, and "
                f"{target(cfg['schedule'])} has none; say schedule=cosine_restarts"
            )


def _of(cfg: Node, what: str) -> Iterator[str]:
    return (name for name, node in cfg["trick"].items() if target(node) == what)


TRICK_RULES: list[Callable[[Node], Iterator[str]]] = [
    _lightnings_own_are_replaced,
    _one_thing_clips,
    _clipping_sees_plain_gradients,
    _growing_batches_can_grow,
    _groups_are_made_here,
    _watchers_see_what_they_watch,
    _snapshots_have_cycles,
]
