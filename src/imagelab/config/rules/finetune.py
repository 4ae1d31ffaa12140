"""Find what cannot be fine-tuned: a rule is a function from the config to sentences."""

from collections.abc import Callable, Iterator

from imagelab.config.facts import says
from imagelab.config.rules.classes import stating, target
from imagelab.config.rules.processes import sharding
from imagelab.config.schema import Node

OWN = "imagelab."  # for these networks we know whether their weights are pretrained


def tuning(cfg: Node) -> bool:
    """Whether a strategy fine-tunes a trained network stage by stage."""
    return bool(cfg["finetune"]) and not from_scratch(cfg)


def from_scratch(cfg: Node) -> bool:
    """Whether finetune ignores the pretrained weights that the model asks for."""
    return bool(cfg["finetune"]) and says(cfg["finetune"]).from_scratch


def _there_is_something_to_tune(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if tuning(cfg) and not _starts_trained(model) and str(model["_target_"]).startswith(OWN):
        name = target(cfg["finetune"])
        more = "model.pretrained=true or " if "pretrained" in model else ""
        yield (
            f"finetune: {name} needs a trained network, and this one starts from random weights; "
            f"set {more}model.weights=RUN, or leave finetune out"
        )


def _line_search_wants_all_weights(cfg: Node) -> Iterator[str]:
    if tuning(cfg) and says(cfg["optimizer"]).line_search:
        yield (
            f"finetune: {target(cfg['optimizer'])} has one rate for all weights, and its history of "
            "gradients is invalid once another stage is unfrozen; set optimizer=adamw or nesterov"
        )


def _stages_have_rates_of_their_own(cfg: Node) -> Iterator[str]:
    if tuning(cfg) and says(cfg["optimizer"]).one_rate:
        yield (
            f"finetune: {target(cfg['optimizer'])} has one rate for all weights, and stages have rates of "
            "their own; set optimizer=adamw or nesterov"
        )


def _weights_are_whole(cfg: Node) -> Iterator[str]:
    if tuning(cfg) and (name := sharding(cfg)):
        yield f"trainer.strategy: finetune trains whole stages, which {name} shards; set trainer=ddp"


def _gradients_of_weights_are_projected(cfg: Node) -> Iterator[str]:  # room: finetune/lora
    if not tuning(cfg) or not says(cfg["finetune"]).adapts:
        return
    for name in stating(cfg["trick"], "clips_gradients"):
        yield (
            f"trick.{name}: clips the gradients of whole weights, and {target(cfg['finetune'])} trains two "
            "matrices beside each; set trainer.gradient_clip_val=1 instead"
        )
    if says(cfg["optimizer"]).has_modes:
        yield (
            f"optimizer: {target(cfg['optimizer'])} exchanges the weights it trains for others after each "
            f"epoch, and {target(cfg['finetune'])} adds them to those of the network; set optimizer=adamw"
        )


def _starts_trained(model: Node) -> bool:
    return model["weights"] is not None or bool(model.get("pretrained"))


FINETUNE_RULES: list[Callable[[Node], Iterator[str]]] = [
    _there_is_something_to_tune,
    _line_search_wants_all_weights,
    _stages_have_rates_of_their_own,
    _weights_are_whole,
    _gradients_of_weights_are_projected,  # room: finetune/lora
]
