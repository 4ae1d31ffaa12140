"""Start the real command in a process of its own, and compare what two runs left behind."""

import atexit
import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import torch

from imagelab.training.own_ranks import CHECKPOINT, RUN

if TYPE_CHECKING:
    from tests.held import Held

IMAGELAB = str(Path(sys.executable).with_name("imagelab"))
LINES = (  # how what a run says begins
    "data |model |training |learning rate |run folder |epoch |status |best epoch |parameters |trained |"
    "checkpoint |verdict |try |report |evaluate |predict |──|    |loss |accuracy|f1_macro |ece "
)
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.warm"])


def forked(act: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    """A process that the fork server has started; the server finds the tests because it starts above them."""
    with contextlib.chdir(Path(__file__).parents[1]):
        forkserver.ensure_running()
    process = SERVER.Process(target=act, args=arguments)
    process.start()
    return process


class Process:
    """A running command: what tests need of `subprocess.Popen`.

    Python's fork server does once what `tests/warm.py` says, and forks for every run, which saves it that.
    """

    def __init__(
        self,
        words: list[str],
        folder: Path,
        real_ranks: bool,
        environment: dict[str, str] | None = None,
        held: "Held | None" = None,
    ) -> None:
        self.said = Path(tempfile.mkstemp(prefix="said-")[1])
        left = (RUN, CHECKPOINT)  # by runs in this process, for their further ranks
        variables = {name: value for name, value in os.environ.items() if name not in left}
        variables |= environment or {}
        moment = (held.moment, held.rows, held.theirs) if held else None
        self.process = forked(_run, words, str(folder), str(self.said), variables, real_ranks, moment)
        self.pid = cast(int, self.process.pid)
        if held:
            held.theirs.close()  # so that a run that ends early is noticed

    @property
    def returncode(self) -> int | None:
        """The exit status; of a signal that killed it, the negative number; None while it runs."""
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for the end; what it said."""
        self.process.join(timeout)
        if self.process.is_alive():
            raise subprocess.TimeoutExpired([IMAGELAB], timeout or 0, self.said.read_bytes())
        text = self.said.read_text() if self.said.exists() else ""
        self.said.unlink(missing_ok=True)
        return text, None


class Rank:
    """The second rank of a run, forked before the run began: what Lightning needs of `subprocess.Popen`.

    It has imported already what a process of its own would import first, and knows nothing of the run.
    """

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.args: list[str] | None = None
        waiting, self.begin = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.begin)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is not for what has not begun
            environment = os.read(waiting, 1 << 20)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if not environment:  # no run wanted it
                os._exit(0)
            os.environ.clear()
            os.environ.update(json.loads(environment))
            from imagelab import cli

            sys.exit(cli.main())
        os.close(waiting)

    def __call__(self, command: list[str], env: dict[str, str], cwd: str | None) -> "Rank":
        """Start it as Lightning starts a process."""
        assert self.args is None, "one further rank was forked, not two"
        assert cwd is None or Path(cwd) == Path.cwd()
        self.args = command
        os.write(self.begin, json.dumps(env).encode())
        return self

    def poll(self) -> int | None:
        if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(
    words: list[str],
    folder: str,
    said: str,
    environment: dict[str, str],
    real_ranks: bool,
    moment: tuple[str, int, Connection] | None,
) -> None:
    """The command, in a session of its own, as a shell would start it."""
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # workers are forked from the run, as in a shell
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    with open(said, "w") as file:  # noqa: PTH123
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = [IMAGELAB, *words]
    sys.modules["__main__"].__spec__ = None  # further ranks are started by this file, not as a module
    if not real_ranks:
        from lightning.pytorch.strategies.launchers import subprocess_script

        vars(subprocess_script)["subprocess"] = SimpleNamespace(Popen=Rank())
    threading.Thread(target=_end_with_tests, daemon=True).start()
    if moment:
        from tests.held import hold

        hold(*moment)
    from imagelab import cli

    try:
        cli.main()
    finally:
        atexit._run_exitfuncs()  # which end the workers: a forked process leaves them out


def strange(output: str) -> list[str]:
    """The lines that are none of a run's own, such as warnings."""
    return [line for line in output.splitlines() if line and not line.startswith(tuple(LINES.split("|")))]


def printed(code: str, *words: str) -> list[str]:
    """What code prints in a process that has imported the package, and nothing that tests changed."""
    said = Path(tempfile.mkstemp(prefix="said-")[1])
    process = forked(_execute, code, words, str(said))
    process.join(240)
    text = said.read_text()
    said.unlink()
    assert process.exitcode == 0, text
    return text.splitlines()


def _execute(code: str, words: tuple[str, ...], said: str) -> None:
    sys.argv = ["-c", *words]
    with Path(said).open("w") as file, contextlib.redirect_stdout(file):
        exec(code, {})


def _end_with_tests() -> None:
    """Leave nothing behind where the tests end, even by `kill -9`; the fork server outlives them."""
    tests = multiprocessing.parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGKILL)


def start(
    words: list[str],
    folder: Path,
    command: str = "train",
    *,
    real_ranks: bool = False,
    environment: dict[str, str] | None = None,
    held: "Held | None" = None,
) -> Process:
    """The command in a process group of its own, with all that it says.

    Args:
        words: What it is told.
        folder: Where it is typed.
        command: Its name.
        real_ranks: Lightning starts further ranks as processes of their own, which import everything again.
        environment: Further variables.
        held: Where the run is held, and the line to it.
    """
    return Process([command, *words], folder, real_ranks, environment, held)


def finish(words: list[str], folder: Path, command: str = "train", *, real_ranks: bool = False) -> str:
    """Run the command to its end; its output."""
    process = start(words, folder, command, real_ranks=real_ranks)
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    return output


def outcome(run: Path) -> dict:
    """All of a run that must be equal bit for bit: weights, optimizer, metrics, results."""
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    results = json.loads((run / "results.json").read_text())
    return {
        "weights": checkpoint["state_dict"],
        "averages": checkpoint.get("averages", {}),
        "best weights": best["state_dict"],
        "optimizer": checkpoint["optimizer_states"][0],
        "metrics": (run / "metrics.csv").read_text(),
        "results": {
            key: results[key]
            for key in ("status", "seed", "epochs", "steps", "best", "weights", "val", "test")
        },
    }


def assert_same(one: object, other: object, where: str = "") -> None:
    """Equal to the last bit, tensors included."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    else:
        assert one == other, where
