"""Report where training time went, and what would shorten it."""

from imagelab.config.schema import Node
from imagelab.finding import Finding

LARGE = 0.3  # fraction of training time that is worth reducing
REMEDIES = {
    "loading": "",
    "validation": "Validate on fewer images: a smaller `data.val_fraction`, or fewer in the val folder.",
    "rest": "Log and save less often: `trainer.log_every_n_steps=100 save_every=600`; or use larger batches.",
}
SHORT = 30.0  # seconds: shorter training gets no advice


def time_finding(seconds: dict[str, float], cfg: Node) -> Finding:
    """The finding on the time per phase, with a remedy if a phase other than computing is large.

    Args:
        seconds: Seconds per phase, as in results.json.
        cfg: Config of the run.
    """
    total = sum(seconds.values())
    shares = {phase: round(value / max(total, 1e-9), 3) for phase, value in seconds.items()}
    phase, fix = _remedy(shares, cfg)
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    slow = phase in ("loading", "validation", "rest") and total > SHORT
    why = f"Of {total:.1f} s: {told}."
    return Finding(
        name="time",
        status="WARN" if slow else "INFO",
        value=shares,
        expected=f"loading, validation and the rest below {LARGE:.0%} each",
        why=why if total > SHORT else f"{why} Training is too short to judge.",
        fix=fix if total > SHORT else "",
    )


def _remedy(shares: dict[str, float], cfg: Node) -> tuple[str, str]:
    """The phase to reduce, and how."""
    phase = next((phase for phase in REMEDIES if shares[phase] > LARGE), "computing")
    if phase == "loading":
        return phase, _loading(cfg["data"])
    if phase in REMEDIES:
        return phase, REMEDIES[phase]
    on_cpu = cfg["trainer"].get("accelerator") == "cpu"  # few CPUs compute in bf16
    faster = [
        word
        for word, is_on in (
            ("trainer.precision=bf16-mixed", on_cpu or cfg["trainer"]["precision"] != "32-true"),
            ("model.channels_last=true", cfg["model"]["channels_last"]),
        )
        if not is_on
    ]
    if not faster:
        return phase, ""
    return phase, f"Computing takes most of it; on many devices it is faster with `{' '.join(faster)}`."


def _loading(data: Node) -> str:
    if data["storage"] == "auto" and "root" in data:
        return "Store shrunk copies of the photos on disk: `data.storage=shrunk`."
    if data["workers"] == 0:
        return "Let worker processes make the batches: `data.workers=auto`."
    return "Use more worker processes (`data.workers`), or fewer augmentations."
