import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.batches import EvalBatches
from imagelab.data.dataset import ArrayBatches
from imagelab.data.parallel import cores
from imagelab.data.workers import MOST, make_loader, worker_count


def loader(workers):
    arrays = Arrays(torch.zeros(40, 1, 2, 2, dtype=torch.uint8), np.arange(40))
    sampler = EvalBatches(40, batch_size=4, rank=0, ranks=1)
    return make_loader(ArrayBatches(arrays, steps=[]), sampler, workers=workers, pin_memory=False)


@pytest.mark.parametrize(
    ("wanted", "one_by_one", "batches", "count"),
    [
        ("auto", False, 100, 0),
        ("auto", True, 100, min(cores(), MOST)),
        ("auto", True, 1, 1),
        (3, False, 100, 3),
        (3, True, 2, 2),
    ],
)
def test_the_number_of_workers_fits_the_data_and_the_machine(wanted, one_by_one, batches, count):
    assert worker_count(wanted, one_by_one=one_by_one, batches=batches) == count


def test_the_ranks_of_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr("imagelab.data.workers.cores", lambda: 12)
    counts = [worker_count("auto", one_by_one=True, batches=99, ranks=ranks) for ranks in (1, 2, 4, 16)]
    assert counts == [MOST, 6, 3, 1]


def test_workers_ignore_the_signals_that_stop_a_run():
    several = loader(2)
    batches = iter(several)
    next(batches), next(batches)  # one of each: both have started, and most batches are still to come
    for process in several._iterator._workers:
        os.kill(process.pid, signal.SIGINT)
        os.kill(process.pid, signal.SIGTERM)
    assert sum(len(batch.labels) for batch in batches) == 32
    assert all(process.is_alive() for process in several._iterator._workers)


def test_workers_stay_for_the_next_epoch():
    several = loader(2)
    pids = []
    for _ in range(2):
        iter(several)
        pids.append([process.pid for process in several._iterator._workers])
    assert pids[0] == pids[1]


def test_a_process_that_ends_with_workers_alive_does_not_hang():
    script = """
        import numpy as np, torch
        from imagelab.data.arrays import Arrays
        from imagelab.data.batches import EvalBatches
        from imagelab.data.dataset import ArrayBatches
        from imagelab.data.workers import make_loader

        arrays = Arrays(torch.zeros(400, 1, 2, 2, dtype=torch.uint8), np.arange(400))
        sampler = EvalBatches(400, batch_size=4, rank=0, ranks=1)
        loader = make_loader(ArrayBatches(arrays, steps=[]), sampler, workers=2, pin_memory=False)
        batches = iter(loader)
        next(batches)
        print(*[process.pid for process in loader._iterator._workers])
        raise SystemExit(3)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    for worker in done.stdout.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker), 0)
