"""Build networks with weights trained on ImageNet, as `imagelab.load` returns them."""

from typing import Any

from torch import nn

from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.model.efficientnet_lite0 import (  # room: model/efficientnet_lite0
    efficientnet_lite0,
    efficientnet_lite0_preprocess,
)
from imagelab.model.timm import timm_model, timm_preprocess
from imagelab.predictor import Predictor, no_loss
from imagelab.problem import Problem
from imagelab.task.classify import Classify


def timm_network(name: str, classes: list[str]) -> Predictor:
    """A network of timm with its trained weights, and the classes of ImageNet that it was trained on.

    Args:
        name: Name in timm.list_models, with or without a weights tag.
        classes: Classes of the run that asks, by whose kind of names the classes are called.

    Raises:
        Problem: It was trained on other classes, or its weights cannot be had.
    """
    import timm
    from timm.data.imagenet_info import infer_imagenet_subset

    preprocess = timm_preprocess(name)
    known = timm.get_pretrained_cfg(name)
    subset = known and infer_imagenet_subset(known.to_dict())
    if subset is None:
        raise Problem(f"{name}: timm does not say which classes it was trained on; name a run instead")
    names = class_names(subset, classes)
    net = timm_model(
        name=name,
        pretrained=True,
        num_classes=len(names),
        in_channels=preprocess.channels,
        size=preprocess.size,
    )
    return predictor_of(net, names, preprocess)


def class_names(subset: str, wanted: list[str]) -> list[str]:
    """The classes of a part of ImageNet, by WordNet's numbers (n01440764), first words or whole descriptions.

    Args:
        subset: Name of the part in timm, such as imagenet-1k.
        wanted: Classes of a run: the kind of names that covers most of them is taken; on a tie, descriptions.
    """
    from timm.data.imagenet_info import ImageNetInfo

    known = ImageNetInfo(subset)
    places = range(known.num_classes())
    whole = [known.index_to_description(place, detailed=True) for place in places]
    kinds = [whole, [known.index_to_label_name(place) for place in places]]
    first = [known.index_to_description(place).partition(",")[0] for place in places]
    kinds += [first] if len({*first} & {*wanted}) == sum(name in {*wanted} for name in first) else []
    return max(kinds, key=lambda names: len({*names} & {*wanted}))


def efficientnet() -> Predictor:  # room: model/efficientnet_lite0
    """EfficientNet-Lite0 with its ImageNet weights and their 1,000 classes, from a package.

    Raises:
        Problem: The package is not installed.
    """
    preprocess = efficientnet_lite0_preprocess()
    names = class_names("imagenet-1k", [])
    net = efficientnet_lite0(
        pretrained=True, num_classes=len(names), in_channels=preprocess.channels, size=preprocess.size
    )
    return predictor_of(net, names, preprocess)


def predictor_of(net: nn.Module, classes: list[str], preprocess: Preprocess) -> Predictor:
    """A network trained on ImageNet, ready to use."""
    task: Any = Classify(loss=no_loss, classes=classes)
    reader = Reader(least=preprocess.resize, shape=None)
    return Predictor(net=net, classes=classes, preprocess=preprocess, reader=reader, task=task)
