import threading

import pytest

from imagelab.data.parallel import cores, map_in_threads


def test_results_come_in_the_order_of_the_items():
    assert list(map_in_threads(lambda k: k * k, range(1000))) == [k * k for k in range(1000)]
    assert list(map_in_threads(str, [])) == []


def test_every_core_works():
    if cores() < 2:
        pytest.skip("one core only")
    meet = threading.Barrier(2, timeout=10)  # passes only when two threads wait at once
    firsts = {0, 16}
    assert list(map_in_threads(lambda k: meet.wait() >= 0 if k in firsts else True, range(32))) == [True] * 32


def test_results_that_nobody_fetches_do_not_pile_up():
    done = []
    results = map_in_threads(done.append, range(10_000))
    next(results)
    assert len(done) <= 256


def test_the_first_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda k: 1 / (k - 500), range(1000)))
