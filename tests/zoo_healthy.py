# room: checks
"""Over forty sound set-ups of networks, losses, tasks, norms and optimizers, none of which may fail."""

TIMM = ("model=timm", "data.size=32")
FACTS = ("data=digits_facts",)  # in place of the digits
SLIM = ("model=resnet9", "model.width=8")
DIGITS: dict[str, tuple[str, ...]] = {
    "the default": (),
    "momentum": ("optimizer=momentum",),
    "nesterov, clipped": ("optimizer=nesterov", "trainer.gradient_clip_val=1"),
    "adam": ("optimizer=adam",),
    "nadam": ("optimizer=nadam",),
    "rmsprop": ("optimizer=rmsprop",),
    "adagrad": ("optimizer=adagrad",),
    "lion": ("optimizer=lion",),
    "lamb": ("optimizer=lamb",),
    "lars": ("optimizer=lars",),
    "muon": ("optimizer=muon",),
    "lbfgs": ("optimizer=lbfgs", "data.batch_size=full", "schedule=constant", "data.limit=300"),
    "a tiny rate": ("optimizer=sgd", "optimizer.lr=1e-5"),
    "group norm": ("model.norm=group",),
    "instance norm": ("model.norm=instance",),
    "weight norm": ("model.norm=weight",),
    "no norm": ("model.norm=none",),
    "binary cross entropy": ("loss=bce",),
    "focal loss": ("loss=focal",),
    "label smoothing": ("loss.label_smoothing=0.2",),
    "balanced weights": ("loss.weight=balanced",),
    "dropout": ("model.dropout=0.5", "model.dropout2d=0.2"),
    "mixup": ("augment=[mixup]",),
    "cutmix": ("augment=[crop,cutmix]",),
    "small turns and shifts": ("augment=[crop,rotate,cutout]",),
    "heavy augmentation": ("augment=[trivial,random_erasing]",),
    "four batches per step": ("trainer.accumulate_grad_batches=4",),
    "bfloat16": ("trainer.precision=bf16-mixed",),
    "few images": ("data.limit=120", "data.batch_size=16"),
    "an average of weights": ("trick=[ema]",),
    "penalties": ("trick=[l1,agc]",),
    "head at the class frequencies": ("trick=[head_bias]",),
    "autoencoder": ("task=autoencoder",),
    "simclr": ("task=simclr", "augment=[crop,flip]"),
    "several classes per image": (*FACTS, "task=multilabel", "loss=bce"),
    "values": (*FACTS, "task=regress", "loss=mse"),
    "resnet9": SLIM,
    "resnet18 of torchvision": ("model=torchvision", "model.stem=small", "data.size=16", "data.limit=300"),
}
PHOTOS: dict[str, tuple[str, ...]] = {
    "resnet18 of timm": (*TIMM, "optimizer.lr=0.001"),
    "a mixer, whose head starts at zero": (
        *TIMM,
        "model.name=mixer_s32_224",
        "optimizer.lr=0.001",
        "data.size=224",
    ),
    "a vision transformer": (*TIMM, "model.name=vit_tiny_patch16_224", "optimizer.lr=0.0003"),
    "convnext": (*TIMM, "model.name=convnext_atto", "optimizer.lr=0.001"),
    "efficientnet": (*TIMM, "model.name=efficientnet_b0", "optimizer.lr=0.001"),
}
