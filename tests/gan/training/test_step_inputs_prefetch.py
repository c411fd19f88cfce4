import threading

import pytest

from pipeline.gan.training.step_inputs import Prefetcher


def test_each_number_gets_its_own_whatever_the_order():
    with Prefetcher(lambda number: number * 10) as feeder:
        assert [feeder.take(number) for number in (0, 1, 2, 7, 8, 3, 3, 4)] == [0, 10, 20, 70, 80, 30, 30, 40]


def test_the_next_is_made_ready_meanwhile_in_another_thread():
    made, ready = {}, threading.Event()

    def make(number):
        made[number] = threading.current_thread()
        if number == 1:
            ready.set()
        return number

    with Prefetcher(make) as feeder:
        feeder.take(0)
        assert ready.wait(10)
        assert made[1] is not threading.main_thread()
        assert feeder.take(1) == 1


def test_what_goes_wrong_is_told_when_it_is_asked_for():
    def make(number):
        if number == 1:
            raise OSError("gone")
        return number

    with Prefetcher(make) as feeder:
        assert feeder.take(0) == 0
        with pytest.raises(OSError, match="gone"):
            feeder.take(1)


def test_it_leaves_no_thread_behind():
    before = threading.active_count()
    with Prefetcher(lambda number: number) as feeder:
        feeder.take(0)
    assert threading.active_count() == before
