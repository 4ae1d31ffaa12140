"""Let a trained network teach the one in training: it learns the teacher's probabilities beside the labels.

The teacher sees what the student sees: the same augmented and mixed images. It is no part of the student, so
nothing of it is trained, averaged, shared between processes or saved; a resumed run reads it again.

Source: Hinton, Vinyals & Dean 2015, https://arxiv.org/abs/1503.02531, section 2; Beyer et al. 2022,
https://arxiv.org/abs/2106.05237, section 3 (the same views for both).
"""

from typing import Any
from zlib import crc32

import torch
from lightning import Callback
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.data.preprocess import Preprocess
from imagelab.data.unlabelled import Unlabelled
from imagelab.loss.soft_targets import soft_loss
from imagelab.metrics.table import TAGS
from imagelab.problem import Problem, nearest, some_of
from imagelab.terminal import screen
from imagelab.training.guidance import Load, Trained
from imagelab.training.loss_record import LossRecord

KEY = "trick.distill.teacher"
NAME = "distill"  # of the metric, and of what the card says
NAMED = 3  # names in a sentence


class Distill(Callback):
    """Replace the loss by (1 - alpha) * loss + alpha * T^2 * divergence from the teacher, at a temperature T.

    The divergence is the mean over all images, labelled or not; it is logged as train/distill.

    Args:
        teacher: A run or its checkpoint, `last`, exported weights, `hf:` or `wandb:` weights, `weights`, or
            the name of a network of timm, with its trained weights.
        temperature: T, > 0: logits are divided by it, so that small probabilities count as well.
        alpha: Share of the teacher in the loss, in (0, 1].
        unlabelled: Folder of pictures without labels, which join training with the teacher's part of the
            loss; None: none.
        per_batch: Unlabelled pictures per batch and device; None: as many as labelled ones.
    """

    needs_shares = True
    needs_images = True
    guides = True

    def __init__(
        self,
        *,
        teacher: str,
        temperature: float,
        alpha: float,
        unlabelled: str | None,
        per_batch: int | None,
    ) -> None:
        self.teacher, self.temperature, self.alpha = teacher, temperature, alpha
        self.folder, self.per_batch = unlabelled, per_batch
        self.unlabelled: Unlabelled | None = None
        self.net = nn.Module()
        self.student: Preprocess  # what images went through
        self.expected: Preprocess  # what the teacher was trained on
        self.columns: Tensor | None = None  # places of the student's classes among the teacher's outputs
        self.tags = False
        self.device: torch.device | None = None  # where the teacher is
        self.recorded = -1  # the batch whose divergence was recorded last

    def meet(self, module: Any, data: Any, max_pixels: int, load: Load, known: Any) -> dict[str, Any]:
        """Find the teacher of a module; see `training.guidance.Guides`.

        Raises:
            Problem: There is none, it does not fit the data, or it is not the one that the run began with.
        """
        where, teacher = load(known["teacher"] if known else self.teacher, data.classes)
        self._fit(where, teacher, data, module.task)
        if self.folder is not None:
            key = "trick.distill.unlabelled"
            self.unlabelled = Unlabelled(
                root=self.folder, key=key, data=data, per_batch=self.per_batch, max_pixels=max_pixels
            )
        facts = {"teacher": where, "weights": weights_mark(self.net)}
        facts |= {"unlabelled": self.unlabelled.mark()} if self.unlabelled else {}
        if known:
            refuse_another(known, facts)
        else:
            screen.say(*self._differences(where, teacher))
        module.terms.records[NAME] = LossRecord(window=module.terms.window)
        return facts

    def guided(self, loss: Tensor, outputs: Tensor, batch: Inputs, module: Any, number: int) -> Tensor:
        """The loss with the teacher's part; see `training.guidance.Guides`."""
        soft = self._soft(outputs, batch.images, module)
        images = len(batch.images)
        if self.unlabelled is not None:
            ranks = module.trainer.world_size
            rank = module.global_rank
            more = self.unlabelled.batch(number, rank=rank, ranks=ranks, device=batch.images.device)
            more = module.trainer.precision_plugin.convert_input(more)
            apart = self._soft(module(more), more, module)
            soft = (soft * images + apart * len(more)) / (images + len(more))
        if number != self.recorded:
            module.terms.records[NAME].add(soft)
            self.recorded = number
        return torch.lerp(loss.to(soft.dtype), soft, self.alpha)

    @torch.no_grad()
    def taught(self, images: Tensor) -> Tensor:
        """The teacher's logits for the student's classes, (B, K), of images as the student sees them."""
        seen = self.expected.of(images, self.student).to(next(self.net.parameters()).dtype)
        outputs = self.net(seen)
        return outputs if self.columns is None else outputs[:, self.columns.to(outputs.device)]

    def _soft(self, outputs: Tensor, images: Tensor, module: Any) -> Tensor:
        if self.device != images.device:
            self.net = module.trainer.precision_plugin.convert_module(self.net).to(images.device)
            self.device = images.device
        return soft_loss(outputs, self.taught(images), self.temperature, tags=self.tags)

    def _fit(self, where: str, teacher: Trained, data: Any, task: Any) -> None:
        """Check that the teacher can teach this task on these data, and take over what it is."""
        if teacher.task.predicts != task.predicts:
            raise Problem(
                f"{KEY}={where}: predicts {teacher.task.predicts}, and this run learns {task.predicts}; "
                "name a network with the same task"
            )
        strange = [name for name in data.classes if name not in teacher.classes]
        if strange:
            raise Problem(
                f"{KEY}={where}: does not know {some_of(strange, NAMED)}"
                f"{nearest(strange[0], teacher.classes)}; it knows {some_of(teacher.classes, NAMED)}. "
                "Train a teacher on these classes, or take only those with data.classes"
            )
        if data.classes != teacher.classes:
            self.columns = torch.tensor([teacher.classes.index(name) for name in data.classes])
        self.net = teacher.net.eval().requires_grad_(False)
        self.student, self.expected = data.preprocess, teacher.preprocess
        self.tags = task.predicts == TAGS
        self.classes = data.classes

    def _differences(self, where: str, teacher: Trained) -> list[str]:
        """A sentence each where the teacher knows more classes, or was trained on other pixels."""
        found = []
        more = len(teacher.classes) - len(self.classes)
        if more:
            found.append(
                f"trick.distill: {where} tells {len(teacher.classes):,} classes apart; only its outputs for "
                f"the {len(self.classes):,} of these data are used."
            )
        theirs, mine = in_words(self.expected), in_words(self.student)
        if theirs != mine:
            found.append(
                f"trick.distill: {where} was trained on {theirs}; the images of this run, {mine}, are "
                "converted for it."
            )
        if (self.expected.whole, self.expected.hidden) != (self.student.whole, self.student.hidden):
            found.append(
                f"trick.distill: {where} was trained on other parts of images (data.mask, or whole ones), "
                "and sees those of this run."
            )
        return found


def refuse_another(then: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise a Problem if a run would resume with another teacher, or other unlabelled images.

    Args:
        then: What `meet` returned when the run began.
        now: What it returns now.
    """
    for name, what in (("weights", f"{KEY}={then['teacher']}"), ("unlabelled", "trick.distill.unlabelled")):
        if then.get(name) != now.get(name):
            raise Problem(
                f"{what}: is not what it was when this run began; restore it, or start a new run with "
                "model.weights=RUN"
            )


def weights_mark(net: nn.Module) -> int:
    """A checksum of the weights and buffers of a network."""
    mark = 0
    for name, value in net.state_dict().items():
        mark = crc32(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes(), mark)
        mark = crc32(name.encode(), mark)
    return mark


def in_words(given: Preprocess) -> str:
    """Images that went through a preprocessing."""
    colour = "in colour" if given.channels == 3 else "in grey"
    return f"{given.size} x {given.size} pixels {colour}"
