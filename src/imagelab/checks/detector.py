# room: detection
"""Do anchors fit the boxes, is the first loss sane, and can the detector memorise a few images?"""

import math

import numpy as np
import torch
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from imagelab.box_labels import CORNERS, there
from imagelab.checks.boxes import NO_BOXES
from imagelab.checks.findings import fact, found, left_out
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.config.rules.finetune import from_scratch
from imagelab.finding import Finding, grade
from imagelab.model.detector import Detector

NEAR = 0.3  # IoU with an anchor from which a box is learnt well
FEW, HARDLY = 0.5, 0.1  # shares of boxes with such an anchor below which the check warns and fails
HIGH, SANE = 50.0, 10.0  # loss before training above which the check fails and warns
IMAGES, STEPS, LEAST = 4, 120, 60  # of the batch to memorise
ENOUGH = 800  # steps from random weights: about 8 times those that ImageNet weights need on few photos
KNOWN, NOTHING = 0.7, 0.05  # AP50 on it from which it is memorised, and below which nothing is


def anchors(subject: Subject) -> Finding:
    """Most boxes overlap an anchor, if the detector has any."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    net = subject.plain().eval().net
    if not isinstance(net, Detector) or net.anchors is None:
        return fact("none", "the detector has no anchors")
    batch = subject.some(2)
    side = subject.data.size
    with torch.no_grad():
        features = [*net.pyramid(batch.images).values()]
        own = net.anchors(ImageList(batch.images, [(side, side)] * len(batch.images)), features)[0]
    labels = subject.data.splits["train"].labels
    boxes = torch.from_numpy(labels[there(labels)][:2000, CORNERS])
    if not len(boxes):
        return fact(None, "there are no boxes")
    share = float((box_iou(boxes, own).amax(dim=1) >= NEAR).float().mean())
    sides = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt().median()
    return found(
        grade(fail=share < HARDLY, warn=share < FEW),
        f"{share:.0%} of the boxes",
        expected=f"{FEW:.0%} overlap an anchor by {NEAR} or more; FAIL below {HARDLY:.0%}",
        why=f"the median box has a side of {sides:.3g} pixels of what the network sees",
        fix="set model.anchor, model.levels or model.ratios to the sizes of boxes" if share < FEW else "",
    )


def first_loss(subject: Subject) -> Finding:
    """The loss before training is finite and not too high."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    module = subject.plain()
    batch = subject.some(min(8, subject.count))
    with torch.no_grad():
        loss = float(module.train().task.loss(module, batch))
    high = not loss <= HIGH
    return found(
        grade(fail=high, warn=loss > SANE),
        round(loss, 3),
        expected=f"at most {SANE:g}; FAIL above {HIGH:g} or not finite",
        why="most places of an image are background, so scores must start low" if loss > SANE or high else "",
        fix="start the bias of the scores at -log(99)" if loss > SANE or high else "",
    )


def random_weights(subject: Subject) -> Finding:
    """A backbone made for photos gets enough steps if it starts from random weights."""
    model = subject.cfg["model"]
    steps = subject.classifier.step_plan.total
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    if not {"backbone", "pretrained"} <= model.keys() or model["backbone"] == "small":
        return fact(f"{steps:,} steps", "this backbone is meant to be trained from scratch")
    if model["weights"] or (model["pretrained"] and not from_scratch(subject.cfg)):
        return fact(f"{steps:,} steps", "the backbone starts from trained weights")
    few = steps < ENOUGH
    return found(
        grade(fail=False, warn=few),
        f"{steps:,} steps",
        expected=f"{ENOUGH} steps or more from random weights",
        why=f"model.backbone={model['backbone']} starts from random weights, which need more steps"
        if few
        else "",
        fix="set model.pretrained=true, or train several times as long with model.norm=group" if few else "",
    )


def memorised(subject: Subject) -> Finding:
    """The detector finds nearly all boxes of a few images that it has trained on."""
    if not subject.data.boxes:
        return fact(None, NO_BOXES)
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    steps = min(STEPS, subject.afford(IMAGES))
    if steps < LEAST:
        return left_out(subject, LEAST, IMAGES)
    places = np.flatnonzero(there(subject.data.splits["train"].labels).any(axis=1))[:IMAGES]
    if not len(places):
        return fact(None, "no training image has a box")
    batch = subject.read("train", places)
    module = subject.calm()
    losses = train(subject, module, [batch] * steps, warmup=20)
    module.eval()
    with torch.no_grad():
        outputs, labels = module.task.outputs(module, batch)
    ap50 = float(module.task.metrics(outputs.float(), labels)["ap50"])
    subject.pictures["overfit"] = losses
    fell = losses[-1] < 0.7 * losses[0] if all(map(math.isfinite, losses)) else False
    return found(
        grade(fail=ap50 < NOTHING and not fell, warn=ap50 < KNOWN),
        f"AP50 {ap50:.2f}, loss {losses[0]:.3g} to {losses[-1]:.3g} after {steps} steps",
        expected=f"AP50 of {KNOWN} or more; FAIL below {NOTHING} if the loss hardly falls",
        why=f"on {len(places)} images" if ap50 >= KNOWN else f"{len(places)} images are not memorised",
        fix=(
            "check boxes and rate; try model.norm=group, a third of optimizer.lr, and three times that"
            if ap50 < KNOWN
            else ""
        ),
    )
