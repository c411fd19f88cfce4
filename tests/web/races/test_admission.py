"""Only so many events of one address are taken in a time."""

from pipeline.web.races import admission
from pipeline.web.races.admission import Allowance


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_too_many_events_of_one_name_are_refused_until_time_has_passed():
    clock = Clock()
    allowance = Allowance(2, 60.0, clock=clock)
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]
    assert allowance.take("b")
    clock.now = 59.0
    assert not allowance.take("a")
    clock.now = 60.0
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]


def test_many_names_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(admission, "MAX_ADDRESSES", 10)
    allowance = Allowance(1, 60.0, clock=Clock())
    assert all(allowance.take(str(number)) for number in range(100))
    assert len(allowance._events) <= 10
