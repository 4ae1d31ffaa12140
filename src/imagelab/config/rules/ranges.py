"""State the range of every number in a config; no number may be nan or infinite besides."""

from imagelab.config.rules.span import Span, at_least, rising, share_or_count, within
from imagelab.config.rules.spans import (
    ABOVE_0,
    BATCHES,
    BETWEEN,
    DROPPED,
    PART,
    SHARE,
    STRENGTH,
    UNIT,
    UP_TO_1,
)
from imagelab.config.rules.trick_ranges import TRICK_RANGES

RANGES = {
    "seed": at_least(0),
    "save_every": Span("0 or more", least=0),
    "save_top": at_least(1),
    "annotate": at_least(1),
    "batch_size": at_least(1),
    "count": at_least(1),
    "set": BETWEEN,
    "score": UNIT,  # room: detection
    "snapshots": at_least(1),
    "seconds": ABOVE_0,  # room: checks, finders, serving
    "patience": ABOVE_0,  # room: finders
    "headroom": within(0, 0.9),  # room: finders
    "share": within(0.01, 1),  # room: finders
    "start": ABOVE_0,  # room: finders
    "end": ABOVE_0,  # room: finders
    "steps": Span("50 or more, to see a trend in the noise", least=50),  # room: finders
    "images": at_least(1),  # room: exporting
    "opset": at_least(1),  # room: exporting
    "tolerance": at_least(0),  # room: exporting
    "neighbours": at_least(1),  # room: embedding
    "most": at_least(2),  # room: embedding
    "megabytes": ABOVE_0,  # room: serving
    "max_pixels": at_least(1),  # room: serving
    "shard_size": Span("a number of MB above 0", above=0),
    "port": Span("0 to 65535", least=0, most=65535),
    "data.batch_size": at_least(1),
    "data.workers": at_least(0),
    "data.size": at_least(1),
    "data.crop": UP_TO_1,
    "data.extra_share": SHARE,
    "data.limit": at_least(1),
    "data.train_limit": PART,
    "data.folds": at_least(2),
    "data.fold": at_least(0),
    "data.max_pixels": at_least(1),
    "data.val_fraction": BETWEEN,
    "data.test_fraction": BETWEEN,
    "data.count": at_least(1),  # room: detection
    "data.side": at_least(1),  # room: detection
    "data.most": at_least(1),  # room: detection
    "task.dim": at_least(2),
    "task.discriminator_steps": at_least(1),  # room: generators
    "task.flip_share": SHARE,  # room: generators
    "task.generator_rate": ABOVE_0,  # room: generators
    "task.noise": at_least(0),
    "task.smooth_fake": SHARE,  # room: generators
    "task.smooth_real": SHARE,  # room: generators
    "task.temperature": ABOVE_0,
    "task.width": at_least(1),
    "augment.background.light": rising(0, 4),
    "augment.background.p": UNIT,
    "augment.background.tolerance": ABOVE_0,
    "augment.color_jitter.brightness": UNIT,
    "augment.color_jitter.contrast": UNIT,
    "augment.color_jitter.saturation": UNIT,
    "augment.color_jitter.hue": within(0, 0.5),
    "augment.copy_paste.area": rising(0.0001, 1),
    "augment.copy_paste.scale": rising(0.1, 10),
    "augment.copy_paste.feather": within(0, 1000),
    "augment.copy_paste.p": UNIT,
    "augment.crop.pad": share_or_count("the side", "pixels"),
    "augment.crop.size": at_least(1),
    "augment.crop.overlaps": UNIT,
    "augment.crop.scale": rising(0.0001, 1),
    "augment.crop.ratio": rising(0.01, 100),
    "augment.cutmix.alpha": STRENGTH,
    "augment.cutmix.p": UNIT,
    "augment.cutout.size": share_or_count("the side", "pixels"),
    "augment.cutout.p": UNIT,
    "augment.cutout.fill": within(0, 255),
    "augment.flip.p": UNIT,
    "augment.lens.strength": within(0, 0.3),
    "augment.mixup.alpha": STRENGTH,
    "augment.mixup.p": UNIT,
    "augment.mosaic.p": UNIT,  # room: detection
    "augment.noise.std": rising(0, 255),
    "augment.randaugment.num_ops": within(1, 100),
    "augment.randaugment.magnitude": within(0, 30),
    "augment.random_erasing.p": UNIT,
    "augment.random_erasing.scale": rising(0.0001, 1),
    "augment.random_erasing.ratio": rising(0.01, 100),
    "augment.random_erasing.fill": within(0, 255),
    "augment.resnet.shortest": within(224, 2240),
    "augment.resnet.longest": within(224, 2240),
    "augment.rotate.degrees": within(0, 180),
    "augment.scale_jitter.scale": rising(0.1, 10),  # room: detection
    "augment.shear.horizontal": within(0, 44),  # two shears of 45 degrees squeeze the image into a line
    "augment.shear.vertical": within(0, 44),
    "augment.stretch.width": rising(0.1, 10),
    "augment.stretch.height": rising(0.1, 10),
    "augment.translate.horizontal": within(0, 0.99),
    "augment.translate.vertical": within(0, 0.99),
    "model.anchor": ABOVE_0,  # room: detection
    "model.convs": at_least(1),  # room: detection
    "model.depths": at_least(1),
    "model.hidden": at_least(1),  # room: detection
    "model.levels": within(1, 8),  # room: detection
    "model.overlap": UP_TO_1,  # room: detection
    "model.ratios": ABOVE_0,  # room: detection
    "model.sampled": at_least(1),  # room: detection
    "model.score": SHARE,  # room: detection
    "model.slope": SHARE,
    "model.pool_ratio": Span("a ratio between 1 and 2", above=1, below=2),
    "model.width": at_least(1),
    "model.widths": at_least(1),
    "model.kernel_size": at_least(1),
    "model.logit_scale": ABOVE_0,
    "model.dropout": DROPPED,
    "model.dropout2d": DROPPED,
    "model.latent": at_least(1),
    "model.stochastic_depth": DROPPED,
    "loss.label_smoothing": SHARE,
    "loss.gamma": at_least(0),
    "loss.delta": ABOVE_0,
    "loss.rate": ABOVE_0,  # room: generators
    "loss.ratio": UP_TO_1,  # room: generators
    "optimizer.d0": ABOVE_0,
    "optimizer.d_coef": ABOVE_0,
    "optimizer.beta3": SHARE,
    "optimizer.r": at_least(0),
    "optimizer.weight_lr_power": at_least(0),
    "optimizer.lr": ABOVE_0,
    "optimizer.lr_base_batch": at_least(1),
    "optimizer.weight_decay": at_least(0),
    "optimizer.momentum": SHARE,
    "optimizer.betas": SHARE,
    "optimizer.alpha": SHARE,
    "optimizer.eps": at_least(0),
    "optimizer.lr_decay": at_least(0),
    "optimizer.momentum_decay": at_least(0),
    "optimizer.initial_accumulator_value": at_least(0),
    "optimizer.trust_coeff": ABOVE_0,
    "optimizer.max_grad_norm": ABOVE_0,
    "optimizer.fallback_lr_scale": ABOVE_0,
    "optimizer.ns_steps": at_least(1),
    "optimizer.max_iter": at_least(1),
    "optimizer.max_eval": at_least(1),
    "optimizer.history_size": at_least(1),
    "optimizer.tolerance_grad": at_least(0),
    "optimizer.tolerance_change": at_least(0),
    "schedule.alpha": at_least(0),
    "schedule.beta": at_least(0),
    "schedule.cooldown": at_least(0),
    "schedule.cycles": at_least(1),
    "schedule.decay": at_least(0),
    "schedule.div_factor": at_least(1),
    "schedule.every": ABOVE_0,
    "schedule.factor": BETWEEN,
    "schedule.final_div_factor": at_least(1),
    "schedule.first_cycle": UP_TO_1,
    "schedule.floor": UNIT,
    "schedule.gamma": UP_TO_1,
    "schedule.high": UP_TO_1,
    "schedule.low": UNIT,
    "schedule.midpoint": UNIT,
    "schedule.milestones": UNIT,
    "schedule.multiplier": at_least(1),
    "schedule.patience": at_least(0),
    "schedule.pct_start": UNIT,
    "schedule.periods": ABOVE_0,
    "schedule.power": ABOVE_0,
    "schedule.steepness": ABOVE_0,
    "schedule.threshold": SHARE,
    "schedule.variance": at_least(0),
    "schedule.warmup": share_or_count("the run", "steps"),
    "finetune.adapter_rate": ABOVE_0,
    "finetune.alpha": ABOVE_0,
    "finetune.decay": UP_TO_1,
    "finetune.every": Span(
        "a share of the run above 0 and below 1, or a whole number of epochs", above=0, whole=True
    ),
    "finetune.few": at_least(1),
    "finetune.head_epochs": share_or_count("the run", "epochs"),
    "finetune.head_rate": UP_TO_1,
    "finetune.images": at_least(2),
    "finetune.neighbours": at_least(1),
    "finetune.rank": at_least(1),
    "finetune.rewarm": share_or_count("an epoch", "steps"),
    "finetune.scale": UP_TO_1,
    "finetune.similar_from": BETWEEN,
    "finetune.views": at_least(1),
    "trainer.devices": Span("-1 for all devices, or 1 or more", least=-1, without=0),
    "trainer.num_nodes": at_least(1),
    "trainer.max_epochs": at_least(1),
    "trainer.num_sanity_val_steps": at_least(-1),
    "trainer.accumulate_grad_batches": at_least(1),
    "trainer.log_every_n_steps": at_least(1),
    "trainer.reload_dataloaders_every_n_epochs": at_least(0),
    "trainer.limit_train_batches": BATCHES,
    "trainer.limit_val_batches": BATCHES,
    "trainer.limit_test_batches": BATCHES,
    "trainer.limit_predict_batches": BATCHES,
    "trainer.gradient_clip_val": ABOVE_0,
    "sweep.seed": at_least(0),  # room: sweep
    "sweep.startup": at_least(0),  # room: sweep
    "sweep.patience": at_least(0),  # room: sweep
    "sweep.folds": at_least(2),  # room: sweep
    "sweep.trials": at_least(1),  # room: sweep
    "sweep.points": at_least(1),  # room: sweep
    "sweep.epochs": at_least(1),  # room: sweep
    "sweep.seeds": at_least(2),  # room: sweep
    "sweep.sizes": at_least(1),  # room: sweep
    "sweep.shares": PART,  # room: sweep
    "sweep.worth": ABOVE_0,  # room: sweep
    "sweep.best": UP_TO_1,  # room: sweep
    "launcher.jobs": at_least(1),  # room: sweep
    "launcher.minutes": at_least(1),  # room: sweep
    "launcher.nodes": at_least(1),  # room: sweep
    "launcher.processes": at_least(1),  # room: sweep
    "launcher.gpus": at_least(0),  # room: sweep
    "launcher.cpus": at_least(1),  # room: sweep
    "launcher.memory": ABOVE_0,  # room: sweep
    "launcher.devices": at_least(0),  # room: sweep
    **TRICK_RANGES,
}
REQUIRED = ("optimizer.lr",)
ORDERED = (  # the smaller number, the larger one, and whether they may be equal
    ("start", "end", False),  # room: finders
    ("schedule.low", "schedule.high", True),
    ("augment.resnet.shortest", "augment.resnet.longest", True),
    ("finetune.neighbours", "finetune.images", False),
)
