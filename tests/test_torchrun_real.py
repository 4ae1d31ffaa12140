"""torchrun itself: its agents, its restarts, several machines; each test takes a minute or more."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from imagelab.training.own_ranks import end_with_parent
from tests.runs_of_the_command import assert_same, finish, outcome
from tests.test_torchrun import ONE, TWO, assert_equal_numbers, free_port

pytestmark = pytest.mark.slow
TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
LONGER = ["trainer.max_epochs=6", "save_every=0.2"]
RUN = ["hydra.run.dir=run", "resume=auto"]


class Agent:
    """A torchrun in a session of its own, as on a machine of its own.

    Args:
        options: Of torchrun.
        words: Of the training command.
        folder: Where it is typed.
        prefix: Words before it, such as `ip netns exec NAME`.
    """

    def __init__(self, options: list[str], words: list[str], folder: Path, prefix: list[str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.said = folder.parent / f"{folder.name}.log"
        variables = (
            {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"} if "--max-restarts" in " ".join(options) else {}
        )
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [*(prefix or []), TORCHRUN, *options, "-m", "imagelab.train", *words],
                cwd=folder,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, signal.SIGKILL),
            )

    def wait(self, timeout: float = 300) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(self.text()) from None

    def kill(self) -> None:
        """`kill -9` of the agent alone: what it started has to end by itself."""
        self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self.said.read_text(errors="replace")


def workers(agent: int) -> list[int]:
    """The processes that an agent started."""
    found = Path(f"/proc/{agent}/task/{agent}/children")
    with suppress(OSError):
        return [int(pid) for pid in found.read_text().split() if _trains(int(pid))]
    return []


def _trains(pid: int) -> bool:
    with suppress(OSError):
        return b"imagelab.train" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def rows(run: Path) -> int:
    """Rows of metrics.csv so far."""
    file = run / "metrics.csv"
    return file.read_text().count("\n") if file.exists() else 0


def wait_until(condition, timeout: float = 200) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def c10d(port: int, nodes: str = "2") -> list[str]:
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=night"]
    return [f"--nnodes={nodes}", "--nproc-per-node=1", *meeting]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """Two processes that torchrun starts on one machine."""
    folder = tmp_path_factory.mktemp("undisturbed")
    agent = Agent(["--standalone", "--nproc-per-node=2"], [*TWO, *LONGER, *RUN], folder / "a")
    assert agent.wait() == 0, agent.text()
    return folder / "a" / "run"


def test_two_processes_on_one_machine_have_the_numbers_of_one(tmp_path, undisturbed):
    finish([*ONE, *LONGER, "hydra.run.dir=run"], tmp_path)
    assert_equal_numbers(tmp_path / "run", undisturbed)


def test_two_agents_with_folders_of_their_own_make_the_same_run(tmp_path, undisturbed):
    port = free_port()
    agents = [Agent(c10d(port), [*TWO, *LONGER, *RUN], tmp_path / name) for name in "ab"]
    assert [agent.wait() for agent in agents] == [0, 0], agents[0].text() + agents[1].text()
    holders = [name for name in "ab" if (tmp_path / name / "run").exists()]
    assert len(holders) == 1
    assert_same(outcome(undisturbed), outcome(tmp_path / holders[0] / "run"))


def test_two_network_namespaces_make_the_same_run(tmp_path, undisturbed):
    ip = shutil.which("ip")
    if not ip or os.getuid():
        pytest.skip("network namespaces need root and the command ip")
    names = [f"imagelab{os.getpid()}{letter}" for letter in "ab"]
    made = subprocess.run(_veth(names), shell=True, capture_output=True, text=True, check=False)
    try:
        if made.returncode:
            pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
        options = [word.replace("127.0.0.1", "10.77.0.1") for word in c10d(29400)]
        agents = [
            Agent(
                [*options, f"--local-addr=10.77.0.{number}", f"--rdzv-conf=is_host={number == 1}"],
                [*TWO, *LONGER, *RUN],
                tmp_path / name,
                [ip, "netns", "exec", name, "env", "GLOO_SOCKET_IFNAME=veth" + "ab"[number - 1]],
            )
            for number, name in enumerate(names, 1)
        ]
        assert [agent.wait() for agent in agents] == [0, 0], agents[0].text() + agents[1].text()
        (run,) = tmp_path.glob("*/run")
        assert_same(outcome(undisturbed), outcome(run))
    finally:
        for name in names:
            subprocess.run([ip, "netns", "delete", name], check=False, capture_output=True)


def _veth(names: list[str]) -> str:
    one, two = names
    return " && ".join(
        [
            f"ip netns add {one}",
            f"ip netns add {two}",
            f"ip link add veth{one[-1]} netns {one} type veth peer name vethb netns {two}",
            f"ip -n {one} addr add 10.77.0.1/24 dev vetha",
            f"ip -n {two} addr add 10.77.0.2/24 dev vethb",
            *(f"ip -n {name} link set {device} up" for name in names for device in ("lo", f"veth{name[-1]}")),
        ]
    )


def test_twenty_kills_of_workers_and_agents_end_in_the_undisturbed_bits(tmp_path):
    words, options = [*TWO, *LONGER, "trainer.max_epochs=40", *RUN], ["--standalone", "--nproc-per-node=2"]
    whole = Agent(options, words, tmp_path / "whole")
    assert whole.wait() == 0, whole.text()
    draw, run, kills = random.Random(0), tmp_path / "a" / "run", 0
    options.append("--max-restarts=40")
    agent = Agent(options, words, tmp_path / "a")
    while kills < 20 and agent.process.poll() is None:
        started = _after_a_while(agent, run, draw)
        if draw.random() < 0.3:
            agent.kill()
            agent = Agent(options, words, tmp_path / "a")
            kills += 1
        elif started:
            os.kill(draw.choice(started), signal.SIGKILL)
            kills += 1
            _wait_for_others(agent, started)
    assert agent.wait() == 0, agent.text()
    assert kills == 20
    assert_same(outcome(tmp_path / "whole" / "run"), outcome(run))


def _after_a_while(agent: Agent, run: Path, draw: random.Random) -> list[int]:
    """The workers of an agent, some time after they started: while they still load, or some steps later."""
    wait_until(lambda: len(workers(agent.process.pid)) == 2 or agent.process.poll() is not None)
    if draw.random() < 0.25:
        time.sleep(draw.uniform(0, 5))
    else:
        goal = rows(run) + draw.randint(1, 15)
        wait_until(lambda: rows(run) >= goal or agent.process.poll() is not None)
    return workers(agent.process.pid)


def _wait_for_others(agent: Agent, gone: list[int]) -> None:
    wait_until(lambda: not set(workers(agent.process.pid)) & set(gone))


def test_a_machine_may_leave_and_come_back(tmp_path):
    run, port = tmp_path / "run", free_port()
    same = [*LONGER, "trainer.max_epochs=40", "trainer.precision=64-true"]
    words = [*TWO, *same, f"hydra.run.dir={run}", "resume=auto"]
    finish([*ONE, *same, "hydra.run.dir=one"], tmp_path)
    options = [*c10d(port, "1:2"), "--max-restarts=10"]
    roles = [
        f"--rdzv-conf=is_host={host},last_call_timeout=3" for host in (True, False)
    ]  # the first one stays
    agents = [Agent([*options, role], words, tmp_path / name) for role, name in zip(roles, "ab", strict=True)]
    wait_until(lambda: rows(run) > 30)
    agents[1].kill()
    before = rows(run)
    wait_until(lambda: "2 before, 1 now" in agents[0].text() and rows(run) > before + 30)
    again = Agent([*options, roles[1]], words, tmp_path / "c")
    wait_until(
        lambda: "1 before, 2 now" in agents[0].text() + again.text() or agents[0].process.poll() is not None
    )
    assert [agents[0].wait(), again.wait()] == [0, 0], agents[0].text() + again.text()
    assert "1 before, 2 now" in agents[0].text() + again.text()
    assert_equal_numbers(tmp_path / "one", run)
