"""Find single values that cannot work: out of their range, or an unknown word."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.ranges import numbers_are_in_range
from imagelab.config.schema import Node
from imagelab.problem import nearest

PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true")
SHORT_PRECISIONS = ("16", "bf16", "32", "64", "transformer-engine", "transformer-engine-float16")
WORDS = {  # Lightning's trainer accepts any word: the ones to suggest, and others to allow
    "precision": (PRECISIONS, SHORT_PRECISIONS),
    "accelerator": (("auto", "cpu", "gpu", "cuda", "mps"), ("tpu",)),
    "gradient_clip_algorithm": (("norm", "value"), ()),
}


def _length_is_known(cfg: Node) -> Iterator[str]:
    if cfg["trainer"].get("max_epochs", 1) is None:
        yield "trainer.max_epochs: a schedule needs the length of the run; set trainer.max_epochs=N"


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


def _warmup_fits(cfg: Node) -> Iterator[str]:
    value = cfg["schedule"].get("warmup") or 0
    if value < 0 or (value >= 1 and value % 1):
        yield f"schedule.warmup: wants a fraction of the run below 1 or a whole number of steps, got {value}"


def _words_are_known(cfg: Node) -> Iterator[str]:
    for key, (words, others) in WORDS.items():
        word = cfg["trainer"].get(key)
        if isinstance(word, str) and word not in (*words, *others):
            hint = nearest(word, words) or f"; choose from {', '.join(words)}"
            yield f"trainer.{key}: there is no {word!r}{hint}"


VALUE_RULES: list[Callable[[Node], Iterator[str]]] = [
    _length_is_known,
    numbers_are_in_range,
    _fold_is_one_of_the_folds,
    _warmup_fits,
    _words_are_known,
]
