"""Average predictions over views of an image and over networks, in one pass over the images.

Predictions such as probabilities are averaged, not logits, so a confident view or member has no more than one
vote. Memory is bounded: a network gets no more crops at a time than a batch has images, and only the running
sum over the views is kept.

Source: Krizhevsky et al. 2012, https://papers.nips.cc/paper/4824, section 4.1; Lakshminarayanan et al. 2017,
https://arxiv.org/abs/1612.01474, section 2.4.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.data.batches import EvalBatches
from imagelab.data.image_data import ImageData
from imagelab.data.workers import make_loader, worker_count
from imagelab.evaluation.members import Member
from imagelab.evaluation.networks import Networks
from imagelab.evaluation.tta import Tta, plain
from imagelab.evaluation.views import Form, FormBatches
from imagelab.model.network import bare
from imagelab.predictor import Predictor
from imagelab.task.contract import Placing

REFUSALS = (RuntimeError, ValueError, AssertionError, TypeError, IndexError)


class Group:
    """Members with the same architecture that take images in the same form.

    Args:
        members: Members of the group.
        places: Index of each among all members.
        form: Form of their images.
    """

    def __init__(self, members: list[Member], places: list[int], form: Form) -> None:
        self.members = members
        self.places = places
        self.form = form

    def ready(self, device: torch.device, *, batches: int) -> Networks:
        """Their networks on a device, to be run on `batches` batches."""
        nets = [member.predictor.net.to(device) for member in self.members]
        return Networks(nets, passes=batches * len(self.form.views), predictions=self.predictions)

    def ask(self, networks: Networks, parts: Sequence[Tensor], device: torch.device, **how: Any) -> Tensor:
        """What the members predict for images in their form; `how`: further arguments of `mean`."""
        with precision(self.members[0], device):
            return mean(networks, self.form, [part.to(device) for part in parts], **how)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Outputs (M, B, K) of the members -> predictions, by the task of each."""
        pairs = zip(self.members, outputs, strict=True)
        return torch.stack([member.predictor.task.predictions(one) for member, one in pairs])


def probabilities(
    members: Sequence[Member],
    data: ImageData,
    split: str,
    *,
    tta: Tta | None,
    batch_size: int,
    device: torch.device,
) -> Tensor:
    """Predictions of each member for each image, averaged over views: (M, N, K) float32, on the CPU.

    Args:
        members: One or more members.
        data: Data with the images.
        split: Split to predict.
        tta: Views of each image; None: the single view used in validation.
        batch_size: Largest number of crops in one pass through a network.
        device: Device to run on.
    """
    groups, task = grouped(members, tta), members[0].predictor.task
    images = good_enough(data, split, [group.form for group in groups])
    decoded = not isinstance(images, Arrays)
    held = sum(len(group.form.views) for group in groups) if decoded else 1
    sampler = EvalBatches(len(images), batch_size=max(1, batch_size // held), rank=0, ranks=1)
    dataset = FormBatches(images, forms=[group.form for group in groups])
    count = worker_count(data.workers, one_by_one=decoded, batches=len(sampler))
    loader = make_loader(dataset, sampler, workers=count, pin_memory=device.type == "cuda")  # pyright: ignore[reportArgumentType]
    networks = [group.ready(device, batches=len(sampler)) for group in groups]
    found: Tensor | None = None
    for batch in loader:
        given: Any = batch
        for group, nets, parts in zip(groups, networks, given.forms, strict=True):
            beside = data.signals[split][given.index] if data.signals else None
            said = group.ask(nets, parts, device, room=batch_size, task=task, signals=beside)
            for place, member, one in zip(group.places, group.members, said.cpu(), strict=True):
                mine = in_first_order(one, member, members[0])
                found = mine.new_empty(len(members), len(images), *mine.shape[1:]) if found is None else found
                found[place, given.index] = mine
    assert found is not None
    return found


def good_enough(data: ImageData, split: str, forms: Sequence[Form]) -> Images:
    """The split as stored, or the original images if the stored ones are too small or unlike training."""
    kept = data.splits[split]
    came = data.named[split].images
    if isinstance(kept, Arrays):
        as_kept = all(form.reader.shape == list(kept.images.shape[-2:]) for form in forms)
        return kept if as_kept or isinstance(came, Arrays) else came
    largest = max(view.short for form in forms for view in form.views)
    as_photos = all(form.reader.shape is None for form in forms)
    return kept if as_photos and largest <= data.preprocess.resize else came


def mean(
    networks: Networks,
    form: Form,
    given: Sequence[Tensor],
    *,
    room: int,
    task: Any,
    signals: Tensor | None = None,
) -> Tensor:
    """Predictions (M, B, K) averaged over views, for images as `Form.shown` takes them, and their signals."""
    if isinstance(task, Placing):
        return fused_views(task, networks, form, given, room=room)
    total: Tensor | None = None
    for squares, views in form.shown(given, room):
        beside = None if signals is None else signals.repeat(views, 1)
        said = networks(form.preprocess.join(squares, beside))
        said = said.unflatten(1, (views, -1)).sum(1)
        total = said if total is None else total + said
    assert total is not None
    return total / len(form.views)


def fused_views(
    task: Placing, networks: Networks, form: Form, given: Sequence[Tensor], *, room: int
) -> Tensor:
    """Predictions (M, B, ...) at places of the network's input, as one of all views."""
    size = form.preprocess.size
    said: list[Tensor] = []
    for squares, count in form.shown(given, room):
        for one in networks(squares).unflatten(1, (count, -1)).unbind(1):
            view = form.views[len(said)]
            turned = task.mirrored(one, view.side) if view.mirrored else one
            said.append(task.scaled(turned, size / view.side))
    if len(said) == 1:
        return said[0]
    return torch.stack([task.fused(torch.stack(views)) for views in zip(*said, strict=True)])


def together(task: Any, said: Tensor) -> Tensor:
    """What M members predict, (M, N, K), as one: (N, K)."""
    if len(said) == 1:
        return said[0]
    return task.fused(said) if isinstance(task, Placing) else said.mean(0)


def in_first_order(one: Tensor, member: Member, first: Member) -> Tensor:
    """A member's predictions (B, K) with the classes, and in the pixels, of the first one."""
    task = member.predictor.task
    if not isinstance(task, Placing):
        return one[:, member.order]
    sizes = first.predictor.preprocess.size, member.predictor.preprocess.size
    return task.scaled(task.renamed(one, member.order), sizes[0] / sizes[1])


def grouped(members: Sequence[Member], tta: Tta | None) -> list[Group]:
    """Group members by the form of their images, then by architecture.

    Raises:
        Problem: The views do not fit a network.
    """
    groups: list[Group] = []
    for place, member in enumerate(members):
        form = form_of(member.predictor, tta)
        for group in groups:
            if group.form == form and alike(group.members[0], member):
                group.members.append(member)
                group.places.append(place)
                break
        else:
            groups.append(Group([member], [place], form))
    return groups


def form_of(predictor: Predictor, tta: Tta | None) -> Form:
    """The form of a network's images, with or without test-time augmentation.

    Raises:
        Problem: If the views do not fit the network.
    """
    preprocess = predictor.preprocess
    views = (
        tta.views(preprocess, lambda side: takes(predictor.net, preprocess.channels, side)) if tta else None
    )
    return Form(preprocess=preprocess, reader=predictor.reader, views=views or plain(preprocess))


@torch.inference_mode()
def takes(net: nn.Module, channels: int, side: int) -> bool:
    """Whether a network accepts square images with this side."""
    device = next(net.parameters()).device
    try:
        return net(torch.zeros(1, channels, side, side, device=device)).ndim == 2
    except REFUSALS:
        return False


def alike(one: Member, other: Member) -> bool:
    """Whether two networks differ only in their weights."""
    mine, theirs = (bare(member.cfg["model"]) for member in (one, other))
    same = precision_of(one) == precision_of(other) and mine == theirs
    return same and _shapes(one.predictor.net) == _shapes(other.predictor.net)


def precision(member: Member, device: torch.device) -> AbstractContextManager[Any]:
    """The precision plugin with which the member's own trainer runs its network."""
    kinds = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
    kind = kinds.get(precision_of(member))
    return torch.autocast(device.type, kind) if kind else nullcontext()


def precision_of(member: Member) -> str:
    """The member's precision as named by Lightning, such as 32-true or bf16-mixed."""
    said = str(member.cfg["trainer"].get("precision", "32-true"))
    return {"16": "16-mixed", "bf16": "bf16-mixed"}.get(said, said)


def _shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(name, tensor.shape) for name, tensor in net.state_dict().items()]
