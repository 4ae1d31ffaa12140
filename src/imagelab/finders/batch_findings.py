"""Present the result of a batch-size search: a table, findings, an override to paste, a picture."""

from rich import box
from rich.console import RenderableType
from rich.table import Table

from imagelab.config.schema import Node
from imagelab.finders.batch_search import NEAR, Found, Tried
from imagelab.finding import Finding
from imagelab.optimizer.lr_scaling import scaled_lr
from imagelab.pages.line_plot import line_plot
from imagelab.terminal.summary import pace

Row = tuple[str | int | float | None, ...]
COLUMNS = ("batch", "outcome", "ms/batch", "images/s", "memory in MiB")
OUTCOMES = {"fits": "fits", "memory": "does not fit", "time": "not tried: takes too long"}
SLOW = 0.8  # share of the highest speed below which a configured batch gets a warning
MIB = 2**20


def summary(found: Found) -> str:
    """The result in a sentence, with overrides to paste."""
    fastest = found.of(found.fastest)
    speed = pace(fastest.speed) if fastest else ""
    return (
        f"Fastest: `data.batch_size={found.fastest}` ({speed}). Largest: `data.batch_size={found.safe}`"
        + (f", which leaves headroom: {found.largest} fit." if found.safe < found.largest else ".")
    )


def findings(found: Found, cfg: Node) -> list[Finding]:
    """The findings of the command.

    Args:
        found: Result of the search.
        cfg: Config of the run.
    """
    return [_largest(found), _fastest(found), _configured(found, cfg), _rate(found, cfg), _memory(found)]


def rows(found: Found) -> list[Row]:
    """A row per size tried, the smallest first."""
    return [
        (
            one.batch,
            OUTCOMES[one.outcome],
            None if one.seconds is None else round(1000 * one.seconds, 3),
            None if one.seconds is None else round(one.speed, 1),
            None if one.memory is None else round(one.memory / MIB, 1),
        )
        for one in found.tried
    ]


def terminal_rows(found: Found) -> RenderableType:
    """The rows as a table for the terminal."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in COLUMNS:
        shown.add_column(name, justify="left" if name == "outcome" else "right")
    for row in rows(found):
        shown.add_row(*map(_shown, row))
    return shown


def picture(found: Found) -> str:
    """Images per second against batch size, as SVG."""
    fits = [one for one in found.tried if one.seconds is not None]
    return line_plot(
        {"images/s": ([one.batch for one in fits], [one.speed for one in fits])},
        title="Speed of each batch size",
        x_label="data.batch_size",
        y_label="images/s",
        log_x=True,
        y_limits=(0.0,),
    )


def _largest(found: Found) -> Finding:
    after = [one for one in found.tried if one.batch > found.largest]
    if not after:
        why = f"All {found.cap:,} training images of a device fit into one batch."
    elif after[0].outcome == "time":
        why = f"{found.largest:,} images fit; larger batches take longer than patience and were not tried."
    else:
        left = "" if found.safe == found.largest else f"; headroom leaves {found.safe:,}"
        why = f"{found.largest:,} images fit, {after[0].batch:,} do not{left}."
    return Finding(
        name="largest batch",
        status="OK",
        value=found.safe,
        expected="",
        why=why,
        fix=f"`data.batch_size={found.safe}`",
    )


def _fastest(found: Found) -> Finding:
    best = max(one.speed for one in found.tried if one.batch <= found.safe)
    fastest = found.of(found.fastest)
    speed = fastest.speed if fastest else 0.0
    return Finding(
        name="fastest batch",
        status="OK",
        value=found.fastest,
        expected="",
        why=(
            f"{pace(speed)}; the smallest size within {1 - NEAR:.0%} of the highest speed, "
            f"{best:,.0f}. The time to decode photos is not included."
        ),
        fix=f"`data.batch_size={found.fastest}`",
    )


def _configured(found: Found, cfg: Node) -> Finding:
    batch = cfg["data"]["batch_size"]
    best = max(one.speed for one in found.tried if one.batch <= found.safe)
    speed = _speed(found.tried, batch)
    status, why = "OK", "Fits, and is about as fast as any."
    if batch > found.largest:
        status = "FAIL"
        why = f"More than the {found.largest:,} images that fit."
    elif batch > found.safe:
        status, why = "WARN", "Fits, with hardly any headroom."
    elif speed < SLOW * best:
        status = "WARN"
        why = f"Fits, at about {speed / best:.0%} of the highest speed."
    return Finding(
        name="configured batch",
        status=status,
        value=batch,
        expected=f"at most {found.safe:,}",
        why=why,
        fix="" if status == "OK" else f"`data.batch_size={found.fastest}`",
    )


def _rate(found: Found, cfg: Node) -> Finding:
    optimizer = cfg["optimizer"]
    images = found.ranks * found.window
    lr = optimizer["lr"]
    rule = optimizer["lr_scaling"]
    base = optimizer["lr_base_batch"]
    sizes = {found.fastest: "fastest", found.safe: "largest", cfg["data"]["batch_size"]: "configured"}
    rates = {size: scaled_lr(lr, rule, size * images, base) for size in sizes}
    value = {f"{name} {size}": float(f"{rates[size]:.3g}") for size, name in sizes.items()}
    now = cfg["data"]["batch_size"] * images
    why = f"optimizer.lr={lr:g} after `optimizer.lr_scaling={rule}`."
    fix = ""
    if rule == "none":
        why = f"`optimizer.lr_scaling=none` keeps optimizer.lr={lr:g} for every batch size."
        fix = (
            f"If the rate is meant for {now:,} images per step, scale it with the batch: "
            f"`optimizer.lr_scaling=linear optimizer.lr_base_batch={now}`; or find one: `imagelab find_lr`"
        )
    return Finding(name="learning rate", status="INFO", value=value, expected="", why=why, fix=fix)


def _memory(found: Found) -> Finding:
    known = [one for one in found.tried if one.memory is not None and one.seconds is not None]
    value = {"device": found.device}
    if found.room is not None:
        value |= {"MiB for training": f"{found.room / MIB:,.0f}"}
    if len(known) > 1:
        first = known[0]
        last = known[-1]
        each = max(0.0, (last.memory or 0) - (first.memory or 0)) / (last.batch - first.batch)
        value |= {"MiB per image": f"{each / MIB:.3g}"}
    return Finding(
        name="memory",
        status="INFO",
        value=value,
        expected="",
        why="Measured at the peak of training steps on one device.",
        fix="",
    )


def _shown(cell: str | float | None) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else f"{cell:,}"


def _speed(tried: list[Tried], batch: int) -> float:
    """Images per second at a batch size, interpolated between its neighbours if it was not tried."""
    timed = [one for one in tried if one.seconds is not None]
    below = [one for one in timed if one.batch <= batch] or timed[:1]
    above = [one for one in timed if one.batch >= batch] or timed[-1:]
    low = below[-1]
    high = above[0]
    if low.batch == high.batch:
        return low.speed
    share = (batch - low.batch) / (high.batch - low.batch)
    return low.speed + share * (high.speed - low.speed)
