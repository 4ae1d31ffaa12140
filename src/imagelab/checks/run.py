"""Run the checks in the order of the report; a check that raises is reported as a finding."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from imagelab.checks import (
    altered_copies,
    apart,
    augmented,
    boxes,  # room: detection
    capacity,
    detector,  # room: detection
    dropout,
    inputs,
    labels,
    layers,
    leak,
    learning,
    loss,
    metrics,
    mixing,
    network,
    optimizer,
    orientation,
    overfit,
    pair,  # room: generators
    pair_learning,  # room: generators
    reading,
    seeds,
    shortcuts,
    stepping,
    steps,
    val_labels,
)
from imagelab.checks.subject import Subject
from imagelab.config.facts import said_by
from imagelab.finding import Finding, taking, timed
from imagelab.problem import Problem
from imagelab.terminal.failure import sentence

Check = Callable[[Subject], Finding]

CHEAP: Mapping[str, Check] = {
    "classes and labels": labels.classes_and_labels,
    "labels follow the images": labels.labels_follow_images,
    "labels of val": val_labels.val_labels,
    "majority class": labels.majority,
    "shortcuts": shortcuts.shortcuts,
    "copies across splits": leak.exact_copies,
    "near copies across splits": altered_copies.near_copies,
    "inputs": inputs.statistics,
    "inputs of train and val": inputs.shift,
    "colour channels": inputs.channels,
    "neighbouring pixels": inputs.neighbours,
    "orientation of val": orientation.orientation,
    "images of val": reading.val_images,
    "whole split": reading.whole_split,
    "mixed batches": reading.mixed_batches,
    "augmentation": reading.augmentation,
    "labels of augmented images": augmented.augmented_labels,
    "classes of augmented images": augmented.augmented_classes,
    "mixed labels": mixing.mixed_labels,
    "boxes": boxes.box_values,  # room: detection
    "boxes follow the images": boxes.boxes_follow,  # room: detection
    "boxes of augmented images": boxes.augmented_boxes,  # room: detection
    "anchors": detector.anchors,  # room: detection
    "loss of boxes at init": detector.first_loss,  # room: detection
    "steps from random weights": detector.random_weights,  # room: detection
    "loss function": loss.loss_function,
    "nonlinearity": network.nonlinearity,
    "half precision": network.half_precision,
    "dropout": dropout.dropout,
    "logits": loss.logits,
    "loss at init": loss.loss_at_init,
    "batch leak": apart.batch_leak,
    "evaluation image by image": apart.evaluation_by_image,
    "metrics of the whole split": metrics.same_metrics,
    "optimizer": optimizer.holds_parameters,
    "rates": optimizer.rates,
    "averages": optimizer.averages,
    "weight decay": optimizer.decay,
    "gradients": steps.gradients,
    "parameters move": steps.movement,
    "batch statistics": steps.batch_statistics,
    "frozen layers": steps.frozen,
    "gradients cleared": steps.cleared,
    "schedule": stepping.schedule_steps,
    "accumulation": stepping.accumulation,
    "gradient clipping": stepping.clipping,
    "activations by layer": layers.activations,
    "gradients by layer": layers.gradient_sizes,
    "update of the weights": layers.updates,
    "one seed": seeds.one_seed,
    "first-layer filters": layers.first_layer,
}
OF_CLASSES: Mapping[str, Check] = {
    "overfit one batch": overfit.one_batch,
    "input-independent baseline": learning.zeroed_input,
    "learning rate": learning.rate,
    "larger sample": capacity.larger_sample,
    "larger network": capacity.larger_network,
}
OF_BOXES: Mapping[str, Check] = {"boxes memorised": detector.memorised}  # room: detection
TRAINED: Mapping[str, Check] = {
    **OF_CLASSES,
    **OF_BOXES,  # room: detection
}
# room: generators
OF_IMAGES = (
    "classes and labels",
    "copies across splits",
    "near copies across splits",
    "inputs of train and val",
    "colour channels",
    "neighbouring pixels",
    "orientation of val",
    "images of val",
    "whole split",
    "augmentation",
)
OF_PAIRS: Mapping[str, Check] = {
    **{name: CHEAP[name] for name in OF_IMAGES},
    "ranges of both": pair.ranges,
    "scores at init": pair.scores,
    "losses at init": pair.first_losses,
    "noise and classes": pair.inputs_used,
    "gradients of both": pair.gradients,
    "both networks move": pair_learning.both_move,
}
PAIRS_TRAINED: Mapping[str, Check] = {
    "discriminator alone": pair_learning.tells,
    "generator alone": pair_learning.follows,
}
# end


def run(subject: Subject, *, fast: bool, only: Collection[str] = ()) -> list[Finding]:
    """Run the checks and return their findings, in order.

    Args:
        subject: Run to check.
        fast: Whether to skip the checks that train.
        only: Names of the checks to run; empty: all.
    """
    cheap, trained = checks_of(subject)
    checks = cheap if fast else {**cheap, **trained}
    return [one(name, check, subject) for name, check in checks.items() if not only or name in only]


def checks_of(subject: Subject) -> tuple[Mapping[str, Check], Mapping[str, Check]]:
    """The checks that suit the task of a run: those that are cheap, and those that train."""
    if said_by(subject.classifier.task).generates:  # room: generators
        return OF_PAIRS, PAIRS_TRAINED
    return CHEAP, TRAINED


def training_checks(subject: Subject) -> Mapping[str, Check]:
    """The checks that train and apply to the task of the run, which `fast` skips."""
    if said_by(subject.classifier.task).generates:  # room: generators
        return PAIRS_TRAINED
    if subject.data.boxes:  # room: detection
        return OF_BOXES
    return OF_CLASSES if subject.task else {}


def one(name: str, check: Check, subject: Subject) -> Finding:
    """Run one check and return its finding, with name and time; if the check raises, the finding says so."""
    with timed() as spent:
        try:
            finding = check(subject)
        except Exception as error:
            finding = _broken(error)
    named = finding if finding.name == name else replace(finding, name=name)
    return taking(named, spent[0])


def _broken(error: Exception) -> Finding:
    why = str(error).splitlines()[0] if isinstance(error, Problem) else sentence(error)
    return Finding(
        name="",
        status="FAIL",
        value="broke off",
        expected="the check completes",
        why=why,
        fix="training would probably stop here, too; `imagelab train debug=quick` shows where",
    )
