"""The queue that icrawler's own would lose pictures in."""

import queue

import pytest

from pipeline.crawl.queues import SureQueue


def test_an_item_that_found_no_room_may_be_put_again():
    small = SureQueue(1)
    small.put({"file_url": "a"})
    with pytest.raises(queue.Full):
        small.put({"file_url": "b"}, timeout=0.01)
    small.get()
    small.put({"file_url": "b"}, timeout=0.01)
    assert small.get(timeout=0.01) == {"file_url": "b"}


def test_an_address_is_taken_once_whatever_else_is_known_of_it():
    small = SureQueue()
    for item in ({"file_url": "a", "page": 1}, {"file_url": "a", "page": 2}, "a", "b"):
        small.put(item)
    assert [small.get(timeout=0.01) for _ in range(small.qsize())] == [{"file_url": "a", "page": 1}, "b"]
