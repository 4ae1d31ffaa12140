"""Find single values that cannot work: too small, not a fraction, or an unknown word."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.schema import Node
from imagelab.problem import nearest

PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true")
SHORT_PRECISIONS = ("16", "bf16", "32", "64", "transformer-engine", "transformer-engine-float16")
WORDS = {  # Lightning's trainer accepts any word: the ones to suggest, and others to allow
    "precision": (PRECISIONS, SHORT_PRECISIONS),
    "accelerator": (("auto", "cpu", "gpu", "cuda", "mps"), ("tpu",)),
    "gradient_clip_algorithm": (("norm", "value"), ()),
}
LEAST = {
    "seed": 0,
    "save_every": 0,
    "data.batch_size": 1,
    "data.workers": 0,
    "data.size": 1,
    "data.limit": 1,
    "data.folds": 2,
    "data.fold": 0,
    "data.max_pixels": 1,
    "annotate": 1,
    "port": 0,
    "optimizer.weight_decay": 0,
    "sweep.trials": 1,  # room: sweep
    "sweep.points": 1,  # room: sweep
    "sweep.epochs": 1,  # room: sweep
    "trainer.max_epochs": 1,
    "trainer.accumulate_grad_batches": 1,
    "trainer.log_every_n_steps": 1,
    "trainer.limit_train_batches": 1e-9,
    "trainer.limit_val_batches": 1e-9,
    "trainer.gradient_clip_val": 1e-9,
}


def _length_is_known(cfg: Node) -> Iterator[str]:
    if cfg["trainer"].get("max_epochs", 1) is None:
        yield "trainer.max_epochs: a schedule needs the length of the run; set trainer.max_epochs=N"


def _numbers_are_large_enough(cfg: Node) -> Iterator[str]:
    for path, least in LEAST.items():
        group, _, key = path.rpartition(".")
        node = {"": cfg} | cfg
        value = (node[group] or {}).get(key) if group in node else None
        if isinstance(value, int | float) and value < least:
            yield f"{path}: wants {'more than 0' if 0 < least < 1 else f'{least} or more'}, got {value}"


def _fractions_are_shares(cfg: Node) -> Iterator[str]:
    for key in ("val_fraction", "test_fraction"):
        if not 0 < cfg["data"][key] < 1:
            yield f"data.{key}: wants a fraction between 0 and 1, got {cfg['data'][key]}"


def _fold_is_one_of_the_folds(cfg: Node) -> Iterator[str]:
    folds, fold = cfg["data"].get("folds"), cfg["data"].get("fold")
    if "sweep" in cfg and cfg["sweep"] and says(cfg["sweep"]).holds_out_folds:  # room: sweep
        return  # the sweep holds out each fold in turn
    if folds is None and fold is not None:
        yield f"data.fold: got {fold} without a number of folds; set data.folds=5, too"
    elif isinstance(folds, int) and fold is None:
        yield (
            f"data.fold: missing; set which of the {folds} folds is held out, 0 to {folds - 1}"
            f"; or run all of them: imagelab train -m sweep=kfold data.folds={folds}"  # room: sweep
        )
    elif isinstance(folds, int) and isinstance(fold, int) and fold >= folds:
        yield f"data.fold: wants 0 to {folds - 1} (data.folds={folds}), got {fold}"


def _smoothing_is_a_share(cfg: Node) -> Iterator[str]:
    value = cfg["loss"].get("label_smoothing") or 0
    if not 0 <= value < 1:
        yield f"loss.label_smoothing: wants a number in [0, 1), got {value}"


def _left_out_are_shares(cfg: Node) -> Iterator[str]:
    for key in ("dropout", "dropout2d", "stochastic_depth"):
        value = cfg["model"].get(key)
        if value is not None and not 0 <= value < 1:
            yield f"model.{key}: wants a probability in [0, 1), or null, got {value}"


def _rate_is_positive(cfg: Node) -> Iterator[str]:
    value = cfg["optimizer"].get("lr")
    if value is None or value <= 0:
        yield f"optimizer.lr: wants a number above 0, got {'nothing' if value is None else value}"


def _warmup_fits(cfg: Node) -> Iterator[str]:
    value = cfg["schedule"].get("warmup") or 0
    if value < 0 or (value >= 1 and value != int(value)):
        yield f"schedule.warmup: wants a fraction of the run below 1 or a whole number of steps, got {value}"


def _words_are_known(cfg: Node) -> Iterator[str]:
    for key, (words, others) in WORDS.items():
        word = cfg["trainer"].get(key)
        if isinstance(word, str) and word not in (*words, *others):
            hint = nearest(word, words) or f"; choose from {', '.join(words)}"
            yield f"trainer.{key}: there is no {word!r}{hint}"


RANGES: list[Callable[[Node], Iterator[str]]] = [
    _length_is_known,
    _numbers_are_large_enough,
    _fractions_are_shares,
    _fold_is_one_of_the_folds,
    _smoothing_is_a_share,
    _left_out_are_shares,
    _rate_is_positive,
    _warmup_fits,
    _words_are_known,
]
