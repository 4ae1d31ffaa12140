"""Find single values that cannot work: out of their range, or an unknown word."""

from collections.abc import Callable, Iterable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.ranges import ORDERED, RANGES, REQUIRED
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
        yield f"data.fold: got {fold} without a number of folds; also set data.folds=5"
    elif isinstance(folds, int) and fold is None:
        yield (
            f"data.fold: missing; set which of the {folds} folds is held out, 0 to {folds - 1}"
            f"; or run all of them: imagelab train -m sweep=kfold data.folds={folds}"  # room: sweep
        )
    elif isinstance(folds, int) and isinstance(fold, int) and fold >= folds:
        yield f"data.fold: wants 0 to {folds - 1} (data.folds={folds}), got {fold}"


def _extra_images_join_by_class(cfg: Node) -> Iterator[str]:
    extra, share = cfg["data"].get("extra"), cfg["data"].get("extra_share")
    if extra is None and share is not None:
        yield f"data.extra_share: got {share} without images; also set data.extra=DIR"
    if extra is not None and (takes := says(cfg["task"]).takes) != "class":
        yield (
            "data.extra: images join training by their class, and this task learns from "
            f"{takes or 'no labels'}; leave it out"
        )


def _masks_are_boxes(cfg: Node) -> Iterator[str]:
    for box in cfg["data"].get("mask") or []:
        sound = isinstance(box, list) and len(box) == 4
        if not sound or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
            yield (
                "data.mask: a box is [left, top, right, bottom], shares with left < right and top < bottom, "
                f"got {box}; set data.mask=[[0,0,1,0.1]] to hide the upper tenth"
            )


def _words_are_known(cfg: Node) -> Iterator[str]:
    for key, (words, others) in WORDS.items():
        word = cfg["trainer"].get(key)
        if isinstance(word, str) and word not in (*words, *others):
            hint = nearest(word, words) or f"; choose from {', '.join(words)}"
            yield f"trainer.{key}: there is no {word!r}{hint}"


def _numbers_are_in_range(cfg: Node) -> Iterator[str]:
    for path, wanted in RANGES.items():
        value = _value(cfg, path)
        if wanted.refuses(value):
            each = isinstance(value, list) and value != [] and not wanted.rising
            yield f"{path}: wants {wanted.words}{' for each' * each}, got {value}"
        elif value is None and path in REQUIRED and path.partition(".")[0] in cfg:
            yield f"{path}: wants {wanted.words}, got nothing"


def _numbers_are_ordered(cfg: Node) -> Iterator[str]:
    for small, large, equal in ORDERED:
        low, high = _value(cfg, small), _value(cfg, large)
        if not isinstance(low, int | float) or not isinstance(high, int | float):
            continue
        if low > high or (low == high and not equal):
            yield f"{small}: wants {'at most' if equal else 'less than'} {large} ({high}), got {low}"


def _value(cfg: Node, path: str) -> object:
    """The value at a path such as trick.ema.decay; None if a part of the path is not there."""
    found: object = cfg
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def number_problems(cfg: Node) -> list[str]:
    """List the numbers of any command's config that cannot work, one sentence each."""
    return [*_numbers_are_in_range(cfg), *_numbers_are_ordered(cfg)]


VALUE_RULES: list[Callable[[Node], Iterable[str]]] = [
    _length_is_known,
    number_problems,
    _fold_is_one_of_the_folds,
    _extra_images_join_by_class,
    _masks_are_boxes,
    _words_are_known,
]
