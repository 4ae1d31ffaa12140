"""Find options of the network that conflict or have no effect: a rule maps the config to sentences."""

from collections.abc import Callable, Iterator

from imagelab.config.schema import Node

PARTS = {"slope": ("activation", "leaky_relu"), "pool_ratio": ("pool", "fractional_max")}


def _weights_have_one_origin(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model["weights"] is not None and model.get("pretrained"):
        yield "model.weights: would replace the weights of model.pretrained=true; leave one of the two out"
    origin = "model.weights" if model["weights"] is not None else "model.pretrained=true"
    if model["init"] != "default" and (model["weights"] is not None or model.get("pretrained")):
        yield (
            f"model.init: {origin} loads trained weights and {model['init']} draws new ones; "
            "leave one of the two out"
        )


def _norm_keeps_what_was_learnt(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model.get("pretrained") and model["norm"] not in ("default", "batch", "frozen"):
        yield (
            f"model.norm: model.pretrained=true was trained with other normalisation layers, got "
            f"{model['norm']}; set model.norm=frozen, or model.pretrained=false"
        )


def _stem_is_trained(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model.get("stem") == "small" and model.get("pretrained"):
        yield (
            "model.stem: small would replace the pretrained first layer of model.pretrained=true; "
            "leave one of the two out"
        )


def _there_is_a_norm_to_sync(cfg: Node) -> Iterator[str]:
    norm = cfg["model"]["norm"]
    if cfg["trainer"].get("sync_batchnorm") and norm not in ("default", "batch"):
        yield (
            f"trainer.sync_batchnorm: model.norm={norm} has no batch statistics to synchronise; "
            "leave one of the two out"
        )


def _parts_have_a_whole(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    for key, (other, needed) in PARTS.items():
        if model[key] is not None and model[other] != needed:
            yield (
                f"model.{key}: has no effect with model.{other}={model[other]}, got {model[key]}; "
                f"set model.{other}={needed}"
            )


def _no_layers_join_trained_ones(cfg: Node) -> Iterator[str]:
    model = cfg["model"]
    if model["pool_ratio"] is not None and model.get("pretrained"):
        yield (
            "model.pool_ratio: would put untrained convolutions between the layers of model.pretrained=true; "
            "leave one of the two out"
        )


MODEL_RULES: list[Callable[[Node], Iterator[str]]] = [
    _weights_have_one_origin,
    _norm_keeps_what_was_learnt,
    _there_is_a_norm_to_sync,
    _stem_is_trained,
    _parts_have_a_whole,
    _no_layers_join_trained_ones,
]
