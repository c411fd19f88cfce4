import threading

import pytest

from pipeline.gan.training.step_inputs import Prefetcher


def test_prefetcher_gives_each_number_its_own_result():
    with Prefetcher(lambda number: number * 10) as prefetcher:
        assert [prefetcher.take(number) for number in (0, 1, 2, 7, 8, 3, 3, 4)] == [0, 10, 20, 70, 80, 30, 30, 40]


def test_prefetcher_makes_the_next_result_in_a_thread():
    made, ready = {}, threading.Event()

    def make(number):
        made[number] = threading.current_thread()
        if number == 1:
            ready.set()
        return number

    with Prefetcher(make) as prefetcher:
        prefetcher.take(0)
        assert ready.wait(10)
        assert made[1] is not threading.main_thread()
        assert prefetcher.take(1) == 1


def test_prefetcher_raises_an_error_when_its_result_is_taken():
    def make(number):
        if number == 1:
            raise OSError("gone")
        return number

    with Prefetcher(make) as prefetcher:
        assert prefetcher.take(0) == 0
        with pytest.raises(OSError, match="gone"):
            prefetcher.take(1)


def test_prefetcher_leaves_no_thread_behind():
    before = threading.active_count()
    with Prefetcher(lambda number: number) as prefetcher:
        prefetcher.take(0)
    assert threading.active_count() == before
