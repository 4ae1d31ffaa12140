import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import sys
from pathlib import Path
from tests.runs_of_the_command import start
words = ["trainer=ddp_cpu", "trainer.devices=2", "trainer.max_epochs=1000", "hydra.run.dir=run"]
process = start(words, Path(sys.argv[1]))
print(process.pid, flush=True)
process.communicate()
"""


@pytest.mark.slow
def test_if_the_tests_are_killed_no_rank_of_their_runs_is_left(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TESTS, str(tmp_path)]
    tests = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    run = int(tests.stdout.readline())
    children = Path(f"/proc/{run}/task/{run}/children")
    while not (tmp_path / "run" / "metrics.csv").exists():
        assert tests.poll() is None
    ends = [os.pidfd_open(pid) for pid in (run, *map(int, children.read_text().split()))]
    assert len(ends) > 1
    tests.send_signal(signal.SIGKILL)
    for end in ends:
        assert select.select([end], [], [], 60)[0], "it is left behind"
        os.close(end)
