"""State the range of every number of a trick."""

from imagelab.config.rules.span import Span, at_least
from imagelab.config.rules.spans import ABOVE_0, BETWEEN, SHARE, UNIT, UP_TO_1

TRICK_RANGES = {
    "trick.activation_stats.every": at_least(1),
    "trick.activation_stats.layers": at_least(2),
    "trick.agc.clip_factor": ABOVE_0,
    "trick.agc.eps": ABOVE_0,
    "trick.batch_growth.factor": at_least(2),
    "trick.batch_growth.milestones": BETWEEN,
    "trick.distill.alpha": UP_TO_1,
    "trick.distill.per_batch": at_least(1),
    "trick.distill.temperature": ABOVE_0,
    "trick.dropconnect.rate": BETWEEN,
    "trick.early_stopping.min_delta": at_least(0),
    "trick.early_stopping.patience": at_least(1),
    "trick.elastic.ratio": UNIT,
    "trick.elastic.strength": ABOVE_0,
    "trick.ema.decay": SHARE,
    "trick.feature_maps.images": Span("1 or more, or a list of positions", least=0, without=0, some=True),
    "trick.feature_maps.layers": at_least(1),
    "trick.feature_maps.maps": at_least(1),
    "trick.first_layer.every": at_least(1),
    "trick.gradient_noise_scale.every": at_least(1),
    "trick.gradient_noise_scale.start": SHARE,
    "trick.gradient_penalty.every": at_least(1),  # room: generators
    "trick.gradient_penalty.strength": ABOVE_0,  # room: generators
    "trick.instance_noise.std": ABOVE_0,  # room: generators
    "trick.instance_noise.until": UP_TO_1,  # room: generators
    "trick.l1.strength": ABOVE_0,
    "trick.l2.strength": ABOVE_0,
    "trick.prediction_dynamics.every": at_least(1),
    "trick.prediction_dynamics.images": at_least(1),
    "trick.progressive_size.multiple": at_least(1),
    "trick.progressive_size.start": BETWEEN,
    "trick.progressive_size.until": UP_TO_1,
    "trick.r1.every": at_least(1),  # room: generators
    "trick.r1.strength": ABOVE_0,  # room: generators
    "trick.sam.rho": ABOVE_0,
    "trick.sharpness.every": at_least(1),
    "trick.sharpness.rho": ABOVE_0,
    "trick.snapshots.every": at_least(1),
    "trick.swa.bn_batches": at_least(1),
    "trick.swa.start": SHARE,
    "trick.weight_clip.limit": ABOVE_0,  # room: generators
}
