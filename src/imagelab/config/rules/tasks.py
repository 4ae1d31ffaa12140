"""Refuse options that need labels if the task trains without them."""

from collections.abc import Callable, Iterator

from imagelab.config import menu
from imagelab.config.facts import says
from imagelab.config.rules.classes import stating, target
from imagelab.config.rules.finetune import from_scratch  # room: detection
from imagelab.config.schema import Node
from imagelab.config.signatures import from_source
from imagelab.config.value_types import show
from imagelab.metrics.table import CLASSES, TAGS

OWN = "imagelab."
PAIRS = (
    "pairs"  # of scores, of real and of generated images: what losses of generators judge  # room: generators
)


def task_name(cfg: Node) -> str:
    """The name of a config's task: its module if it is one of ours, else its class.

    >>> task_name({"task": {"_target_": "imagelab.task.simclr.SimCLR"}})
    'simclr'
    """
    target = str(cfg["task"]["_target_"])
    return target.split(".")[-2 if target.startswith(OWN) else -1]


def without_labels(cfg: Node) -> bool:
    """Whether the task needs no labels."""
    return not says(cfg["task"]).takes


def _labels_are_not_mixed(cfg: Node) -> Iterator[str]:
    names = stating(cfg["augment"], "mixes_labels")
    if names and without_labels(cfg):
        yield (
            f"augment: {' and '.join(names)} blend{'s' * (len(names) == 1)} images and their labels, and "
            f"task={task_name(cfg)} learns without labels; leave {'it' if len(names) == 1 else 'them'} out"
        )


def _views_differ(cfg: Node) -> Iterator[str]:
    said = says(cfg["task"])
    if said.views > 1 and not cfg["augment"]:
        yield (
            f"augment: task={task_name(cfg)} compares {said.views} augmented views of each image, and "
            "without augmentation they are identical; set augment=[crop,flip,color_jitter], or whatever the "
            "features should ignore"
        )
    if said.views > 1 and said.compares_batch and cfg["data"]["batch_size"] == 1:
        yield (
            f"data.batch_size: task={task_name(cfg)} compares the images of a batch, got batches of 1; "
            "use 256 or more"
        )


def _loss_is_used(cfg: Node) -> Iterator[str]:
    choice = menu.questions("train")["loss"]
    if not _takes_loss(cfg) and cfg["loss"] != menu.load(menu.folder() / "loss" / f"{choice}.yaml"):
        yield f"loss: task={task_name(cfg)} has its own loss; leave loss out"


def _takes_loss(cfg: Node) -> bool:
    """Whether the task asks for the loss that the config chooses, as far as its source tells."""
    task = from_source(cfg["task"]["_target_"])
    return task is None or task.open or "loss" in task.arguments


def _loss_judges_what_is_predicted(cfg: Node) -> Iterator[str]:
    said = says(cfg["task"])
    judged = says(cfg["loss"]).judges
    predicted = said.predicts
    predicted = PAIRS if said.generates else predicted  # room: generators
    if _takes_loss(cfg) and judged and predicted not in judged:
        yield (
            f"loss: {target(cfg['loss'])} is for a task that predicts {' or '.join(judged)}, and "
            f"task={task_name(cfg)} predicts {predicted or 'nothing'}; set {_losses_of(predicted)}"
        )


def _losses_of(predicted: str) -> str:
    """The choices of a loss for what a task predicts, as typed."""
    names = menu.choices("loss")
    nodes = {name: {"_target_": menu.value("loss", name, "_target_")} for name in names}
    return " or ".join(f"loss={name}" for name, node in nodes.items() if predicted in says(node).judges)


def _classes_are_evened_out_once(cfg: Node) -> Iterator[str]:
    weight = cfg["loss"].get("weight")
    if weight is not None and cfg["data"]["balance"]:
        yield (
            f"loss.weight: data.balance=true draws every class equally often already, got {show(weight)}; "
            "leave one of the two out"
        )


def _networks_for_boxes(cfg: Node) -> Iterator[str]:  # room: detection
    task, model = says(cfg["task"]), says(cfg["model"])
    if task.takes == "boxes" and not model.detects:
        yield (
            f"model: task={task_name(cfg)} finds boxes, and {target(cfg['model'])} does not; set model=fcos, "
            "retinanet or faster_rcnn"
        )
    if model.detects and task.takes != "boxes":
        yield f"model: {target(cfg['model'])} finds boxes; set task=detect, or another model"


def _levels_keep_their_strides(cfg: Node) -> Iterator[str]:  # room: detection
    if says(cfg["model"]).detects and cfg["model"]["stem"] == "small":
        yield (
            "model.stem: small changes the strides of model.levels, which anchors do not follow; leave it "
            "out, and set finer model.levels"
        )


def _dropout_has_a_place(cfg: Node) -> Iterator[str]:  # room: detection
    if says(cfg["model"]).detects and cfg["model"]["dropout"] is not None:
        yield (
            f"model.dropout: drops features before one last layer, and {target(cfg['model'])} has several; "
            "set model.dropout2d instead"
        )


def _frozen_norms_were_trained(cfg: Node) -> Iterator[str]:  # room: detection
    model = cfg["model"]
    trained = model["weights"] is not None or model.get("pretrained")
    if says(model).detects and model["norm"] == "frozen" and (from_scratch(cfg) or not trained):
        yield (
            "model.norm: frozen keeps the statistics of trained weights, and this network starts from random "
            "ones; set model.norm=group, or model.pretrained=true or model.weights=RUN"
        )


def _boxes_follow_pixels(cfg: Node) -> Iterator[str]:  # room: detection
    for name, node in cfg["augment"].items() if says(cfg["task"]).takes == "boxes" else ():
        if not says(node).follows_boxes:
            needs = f"which task={task_name(cfg)} needs"
            yield f"augment.{name}: cannot move boxes, {needs}; leave it out"


def _mirrored_objects_have_no_boxes(cfg: Node) -> Iterator[str]:  # room: detection
    for name, node in cfg["augment"].items() if says(cfg["task"]).takes == "boxes" else ():
        said = says(node)
        if node.get("border") == "reflect" and said.follows_boxes and not said.reads_boxes:
            key = f"augment.{name}.border"
            yield f"{key}: objects in a mirrored border have no boxes; set {key}=zero"


def _boxes_go_along(cfg: Node) -> Iterator[str]:  # room: detection
    if says(cfg["task"]).takes != "boxes":
        return
    name = f"task={task_name(cfg)}"
    for trick in stating(cfg["trick"], "needs_plain_pass"):
        yield f"trick.{trick}: passes images without their boxes, which {name} trains with; leave it out"
    for trick in stating(cfg["trick"], "resizes_images"):
        yield f"trick.{trick}: shrinks images, but not the boxes of {name}; leave it out"
    if says(cfg["optimizer"]).has_modes:
        yield (
            f"optimizer: {target(cfg['optimizer'])} passes images without their boxes after each epoch, for "
            f"the statistics of BatchNorm, and {name} trains with boxes; set optimizer=adamw"
        )


def _no_labels_to_fine_tune_by(cfg: Node) -> Iterator[str]:
    if without_labels(cfg) and cfg["finetune"] is not None:
        yield (
            f"finetune: task={task_name(cfg)} replaces the head and trains the whole network; "
            "leave one of the two out"
        )


def _strategy_finds_classes(cfg: Node) -> Iterator[str]:
    if cfg["finetune"] and says(cfg["finetune"]).needs_classes and says(cfg["task"]).predicts != CLASSES:
        yield (
            f"finetune: {target(cfg['finetune'])} compares images by their class, and task={task_name(cfg)} "
            "has other labels; set finetune=two_phase, or discriminative if there are many images"
        )


def _tricks_find_classes(cfg: Node) -> Iterator[str]:
    predicted = says(cfg["task"]).predicts
    for fact, fits in {"needs_classes": (CLASSES,), "needs_shares": (CLASSES, TAGS)}.items():
        for name in stating(cfg["trick"], fact) if predicted not in fits else ():
            yield (
                f"trick.{name}: needs a task that predicts {' or '.join(fits)}, and task={task_name(cfg)} "
                f"predicts {predicted or 'nothing'}; leave it out"
            )


TASK_RULES: list[Callable[[Node], Iterator[str]]] = [
    _labels_are_not_mixed,
    _views_differ,
    _loss_is_used,
    _loss_judges_what_is_predicted,
    _classes_are_evened_out_once,
    _no_labels_to_fine_tune_by,
    _strategy_finds_classes,
    _tricks_find_classes,
    _networks_for_boxes,  # room: detection
    _levels_keep_their_strides,  # room: detection
    _dropout_has_a_place,  # room: detection
    _frozen_norms_were_trained,  # room: detection
    _boxes_follow_pixels,  # room: detection
    _boxes_go_along,  # room: detection
    _mirrored_objects_have_no_boxes,  # room: detection
]
