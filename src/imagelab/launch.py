"""Start a command as a Hydra application, once its config is known to hold no mistake."""

import functools
import sys
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from imagelab import cli, config, menu, runs
from imagelab.compose import Composed, compose, for_hydra, jobs
from imagelab.compose import key as key_of

INTERRUPTED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM: they end a whole sweep


def run(task: cli.Task, command: str, root: type | None) -> None:
    """Check the words of the command line, then hand over to Hydra."""
    root = root or config.Run
    args, unknown = get_args_parser().parse_known_intermixed_args()
    if unknown:
        cli.refuse(
            [
                f"{word}: no such flag; what a run does is said by group=choice and key=value"
                for word in unknown
            ]
        )
    words = args.overrides
    flags = [word for word in sys.argv[1:] if word not in words]
    foreign = args.config_dir or args.config_path or args.config_name  # then each job checks for itself
    if not (foreign or args.hydra_help or args.shell_completion):
        words = checked(words, command, root, sweep=args.multirun)
    sys.argv[1:] = [*words, *flags]
    _start(task, command, root)


def checked(words: list[str], command: str, root: type, *, sweep: bool) -> list[str]:
    """The words for Hydra; all mistakes and exit status 2 where a job they stand for has any."""
    composed = [compose(command, job) for job in (jobs(words) if sweep else [words])]
    found = [sentence for job in composed for sentence in [*job.problems, *_seen_at_once(job, words, root)]]
    if not found:
        found = [sentence for job in composed for sentence in config.thorough_problems(job.cfg or {}, root)]
    if found:
        cli.refuse(
            list(dict.fromkeys(found)),
            cli.HEAD if root is config.Run else f"imagelab {command} cannot start:",
        )
    return for_hydra(words, {key for job in composed for key in job.new_keys})


def _seen_at_once(job: Composed, words: list[str], root: type) -> list[str]:
    if job.cfg is None:
        return []
    typed = {key_of(word) for word in words}
    found = []
    for sentence in config.quick_problems(job.cfg, root):
        key = sentence.partition(": ")[0]
        file = None if key in typed else menu.sets(key, job.choices)
        found.append(f"{sentence} (in {file})" if file else sentence)
    return found


def _start(task: cli.Task, command: str, root: type) -> None:
    failed: list[str] = []
    OmegaConf.register_new_resolver("new_run", _new_run, use_cache=True, replace=True)

    @functools.wraps(task)
    def job(cfg: DictConfig) -> float | None:
        state = HydraConfig.get()
        if state.mode == RunMode.RUN:
            return _job(task, cfg, root)
        try:
            return _job(task, cfg, root)
        except SystemExit as end:  # one failed trial does not end the sweep
            if end.code in INTERRUPTED:
                raise
            failed.append(state.runtime.output_dir)
            return None

    hydra.main(config_path=str(menu.folder()), config_name=command, version_base="1.3")(job)()
    if failed:
        cli.refuse(failed, "These trials failed:")


def _job(task: cli.Task, cfg: DictConfig, root: type) -> float | None:
    with cli.plainly():
        node = config.plain(cfg)
        found = config.problems(node, root)
        if found:
            cli.refuse(found)
        return task(node, Path(HydraConfig.get().runtime.output_dir))


def _new_run() -> str:
    """A new folder below logs/, named after the experiment."""
    experiment = HydraConfig.get().runtime.choices.get("experiment")
    return str(runs.new_folder(experiment or "train"))
