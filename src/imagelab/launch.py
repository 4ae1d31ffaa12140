"""Turn the command line into a checked config and run the command through Hydra."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from imagelab.config import collector, help_text, meant, menu, schema, trust, validate
from imagelab.config.compose import Composed, compose, for_hydra, jobs, plain
from imagelab.config.compose import key as key_of
from imagelab.config.hydra_internals import parse_flags, parse_word
from imagelab.config.launched import launched
from imagelab.config.rules.processes import is_job, launcher_of  # room: sweep
from imagelab.problem import Problem
from imagelab.runs import claim, edited
from imagelab.terminal import failure, refusal, screen

RUN_DIR, SWEEP_DIR = "hydra.run.dir", "hydra.sweep.dir"
Task = Callable[[schema.Node, Path], float | None]
Resume = Callable[[str, list[str]], int]
Plan = Callable[[list[str], Callable[[list[str]], list[str]]], tuple[Any, list[str]]]
INTERRUPTED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM, which end the whole sweep


@dataclass(frozen=True)
class Application:
    """A command, ready to run under Hydra.

    Args:
        task: Function that runs the command.
        command: Name of its root config.
        root: Dataclass of the root keys and their types.
        wanted: Folder named by `hydra.run.dir`.
        plan: Plan of the sweep; its sweeper reads it as `task.plan`.
        held: Keys set after Hydra, which would mistake them for groups.
        check: Whether each job checks its config.
        resume: Function that resumes a trial of a sweep in this process: folder and words -> exit status.
    """

    task: Task
    command: str
    root: type
    wanted: str | None
    plan: Any
    held: schema.Node
    check: bool
    resume: Resume | None


def run_hydra(
    task: Task,
    command: str = "train",
    root: type | None = None,
    resume: Resume | None = None,
    plan: Plan | None = None,
) -> None:
    """Check the words of the command line, then call `task(config, run folder)` as a Hydra application.

    Args:
        task: Function that runs the command; a sweep compares its return value.
        command: Name of the root config, configs/<command>.yaml.
        root: Dataclass of the root keys and their types; None: those of a training run.
        resume: Function that resumes a trial of a sweep in this process: folder and words -> exit status.
        plan: Function that plans a sweep: words and their check -> plan and words for Hydra; None: Hydra's
            own sweeper runs each combination.
    """
    with refusal.plainly():
        if command != "train":
            _refuse_group(command)
        sys.argv[1:] = trust.take_words(sys.argv[1:])
    if {"-h", "--help"} & set(sys.argv[1:]):
        with refusal.plainly():
            print(help_text.text(command, sys.argv[1:]))
    else:
        _run(task, command, root or schema.Run, resume, plan)


def _run(task: Task, command: str, root: type, resume: Resume | None, plan: Plan | None) -> None:
    args, unknown = parse_flags()
    if unknown:
        refusal.refuse(
            [f"{word}: no such flag; set options by group=choice and key=value" for word in unknown]
        )
    words = args.overrides
    flags = [word for word in sys.argv[1:] if word not in words]
    foreign = args.config_dir or args.config_path or args.config_name  # then each job checks its own config
    planned = None
    if not (foreign or args.hydra_help or args.shell_completion):
        if args.multirun and plan:
            with refusal.plainly():
                planned, words = plan(words, lambda some: check_words(some, command, root, sweep=True))
        else:
            words = check_words(words, command, root, sweep=args.multirun)
    takes_run = issubclass(root, schema.Run)
    wanted = None
    shown = args.cfg or args.info or args.hydra_help or args.shell_completion
    if takes_run and not args.multirun:
        wanted, words = _wanted_folder(words)
    elif takes_run and not (foreign or shown or SWEEP_DIR in map(key_of, words)):
        with refusal.plainly():
            words = [*words, f"{SWEEP_DIR}={claim.new_folder('sweeps')}"]
    held, words = _held_back(words, command)
    sys.argv[1:] = [*words, *flags]
    check = bool(foreign or args.multirun)  # a single run was checked above; each trial of a sweep is new
    _start(Application(task, command, root, wanted, planned, held, check=check, resume=resume))


def _refuse_group(command: str) -> None:
    """Raise a Problem if torchrun or srun started several processes for a command that is one."""
    mine = launched()
    if mine and mine.world > 1:
        if mine.rank:
            screen.hush()
        raise Problem(
            f"{mine.by} started {mine.world} processes, but {command} is a single one; type `imagelab "
            f"{command} ...` without {mine.by}. Only train takes part in a group."
        )


def check_words(words: list[str], command: str, root: type, *, sweep: bool) -> list[str]:
    """Return the words for Hydra; list all mistakes and exit with status 2 if any of their jobs has one."""
    words, found = meant.corrected(words, command)
    composed = [compose(command, job) for job in (jobs(words) if sweep else [words])]
    found += [sentence for job in composed for sentence in [*job.problems, *_seen_at_once(job, words, root)]]
    if command == "train" and not sweep:  # room: sweep
        searching = any((job.cfg or {}).get("sweep") for job in composed)
        found += ["sweep: a search starts many runs and needs -m: imagelab train -m sweep=..."] * searching
        cfgs = [job.cfg or {} for job in composed]
        several = any("jobs" in launcher_of(cfg) and not is_job(cfg) for cfg in cfgs)
        found += ["launcher: runs the trials of a sweep and needs -m; leave it out for one run"] * several
    if not found:
        with collector.paused():  # imports what the config names, torch and Lightning with it
            found = [one for job in composed for one in validate.thorough_problems(job.cfg or {}, root)]
    if found:
        refusal.refuse(
            list(dict.fromkeys(found)),
            refusal.HEAD if root is schema.Run else f"imagelab {command} cannot start:",
        )
    for job in composed:
        trust.trust_typed(job.cfg)
    return for_hydra(words, {key for job in composed for key in job.new_keys}, command)


def _seen_at_once(job: Composed, words: list[str], root: type) -> list[str]:
    if job.cfg is None:
        return []
    typed = {key_of(word) for word in words}
    found = []
    for sentence in validate.quick_problems(job.cfg, root):
        key = sentence.partition(": ")[0]
        file = None if key in typed else menu.sets(key, job.choices)
        found.append(f"{sentence} (in {file})" if file else sentence)
    return found


def _wanted_folder(words: list[str]) -> tuple[str | None, list[str]]:
    """Split off the folder that `hydra.run.dir` names, since Hydra would reuse a folder that exists."""
    named = [word for word in words if key_of(word) == RUN_DIR]
    if not named:
        return None, words
    return str(parse_word(named[-1]).value()), [word for word in words if word not in named]


def _held_back(words: list[str], command: str) -> tuple[schema.Node, list[str]]:
    """Split off keys named like a group of another command, since Hydra would mistake them for it."""
    plain = menu.root_keys(command).keys() - menu.questions(command).keys()
    mine = [word for word in words if key_of(word) in plain and (menu.folder() / key_of(word)).is_dir()]
    values = {key_of(word): parse_word(word).value() for word in mine}
    return values, [word for word in words if word not in mine]


def _start(app: Application) -> None:
    failed: list[str] = []
    made: list[str] = []

    def new_run(_root_: DictConfig) -> str:
        with refusal.plainly():
            if not made:
                made.append(
                    str(_chosen_folder(app.wanted, _root_) if app.wanted else _new_folder(app.command))
                )
        return made[0]

    OmegaConf.register_new_resolver("new_run", new_run, replace=True)

    @functools.wraps(app.task)
    def job(cfg: DictConfig) -> float | None:
        state = HydraConfig.get()
        if app.plan or state.mode == RunMode.RUN:  # a plan's sweeper handles the end of a trial itself
            return _job(app, cfg)
        try:
            return _job(app, cfg)
        except SystemExit as end:  # one failed trial does not end the sweep
            if end.code in INTERRUPTED:
                raise
            failed.append(" ".join(state.overrides.task) or "the only one")
            return None

    job.resume = app.resume  # pyright: ignore[reportAttributeAccessIssue]
    job.plan = app.plan  # pyright: ignore[reportAttributeAccessIssue]
    hydra.main(config_path=str(menu.folder()), config_name=app.command, version_base="1.3")(job)()
    if failed:
        claim.discard_sweep()
        refusal.refuse(failed, "These trials failed:")


def _job(app: Application, cfg: DictConfig) -> float | None:
    with refusal.plainly():
        node = plain(cfg) | app.held
        found = validate.problems(node, app.root) if app.check else []
        if found:
            refusal.refuse(found)
        trust.trust_typed(node)
        try:
            return app.task(node, Path(HydraConfig.get().runtime.output_dir))
        except Problem:
            claim.discard_empty()
            raise
        except Exception as error:
            if failure.out_of_memory(error):
                smaller = "Try a smaller batch_size." if "batch_size" in node else failure.SMALLER
                raise Problem(failure.sentence(error, smaller)) from error
            if found := edited.mistakes(node.get("run")):
                raise Problem("\n".join(found)) from error
            raise


def _new_folder(command: str) -> Path:
    """Make a new folder below logs/, named after the command, or after the experiment of a training run."""
    experiment = HydraConfig.get().runtime.choices.get("experiment")
    return claim.new_folder(experiment if command == "train" and experiment else command)


def _chosen_folder(wanted: str, root: DictConfig) -> Path:
    """The folder named by the user; its name may refer to keys of the config."""
    return claim.chosen_folder(OmegaConf.create({"dir": wanted}, parent=root).dir)
