"""Tell which metrics a run has and which one selects its best epoch, without importing torch."""

from imagelab.config.facts import says
from imagelab.config.schema import Node
from imagelab.metrics.names import metric_of
from imagelab.metrics.table import LOSS, Metric, lower_is_better, rows_of

AUTO = "auto"
TRAIN_LOSS = f"train/{LOSS}"


def metrics_of(cfg: Node) -> tuple[Metric, ...]:
    """The rows of the task's metrics, the most informative one first."""
    said = says(cfg["task"])
    own = [Metric(name=name, better=better) for name, better in said.measures.items()]
    return rows_of(said.predicts, own)


def headline(cfg: Node) -> str:
    """The metric that a run is judged by unless the config names another one."""
    return metrics_of(cfg)[0].name


def monitored(cfg: Node) -> str:
    """The metric that selects the best epoch; `auto` stands for the task's headline metric."""
    return f"val/{headline(cfg)}" if cfg["monitor"] == AUTO else str(cfg["monitor"])


def lower_is_better_of(cfg: Node, metric: str) -> bool:
    """Whether lower values of one of the task's metrics are better."""
    return lower_is_better(metric, metrics_of(cfg))


def known_metrics(cfg: Node, weights: str) -> tuple[str, ...]:
    """The names of the metrics that can be monitored.

    Args:
        cfg: Config of the run.
        weights: Name of the set of weights that is validated.
    """
    return tuple(metric_of(f"val/{row.name}", weights) for row in metrics_of(cfg))
