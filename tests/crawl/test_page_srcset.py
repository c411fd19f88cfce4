"""The attribute srcset, by the steps of the HTML standard."""

import time

import pytest

from pipeline.crawl.page import LONGEST, largest


@pytest.mark.parametrize(
    ("srcset", "address"),
    [
        ("", ""),
        (" , ,", ""),
        ("a.jpg", "a.jpg"),
        ("a.jpg,b.jpg", "a.jpg,b.jpg"),
        ("a.jpg, b.jpg 2x", "b.jpg"),
        ("a.jpg 2x,b.jpg", "a.jpg"),
        ("a.jpg,, b.jpg 3x", "b.jpg"),
        ("\n a.jpg\t1.5x ,\n b.jpg 1e1x", "b.jpg"),
        ("a,b.jpg 100w, c.jpg 50w", "a,b.jpg"),
        ("a.jpg 1x (no, comma), b.jpg 2x", "b.jpg"),
        ("a.jpg 100w 50h, b.jpg 60w", "a.jpg"),
        ("a.jpg 0w, b.jpg -1x, c.jpg 1x 2x, d.jpg 5h, e.jpg 1x 2w, f.jpg 9q", ""),
        ("a.jpg nanx, b.jpg infx, c.jpg 1e999x, d.jpg 1x", "d.jpg"),
        (f"a.jpg {'9' * 5000}w, b.jpg 1w", "b.jpg"),
    ],
)
def test_the_largest_is_that_of_the_standard(srcset, address):
    assert largest(srcset) == address


@pytest.mark.parametrize("token", ["a", " ", ",", "a ", "(", "a (", "1x,", "a 1x ", ") "])
def test_time_grows_with_the_length(token):
    began = time.process_time()
    largest(token * (1_000_000 // len(token)))
    assert time.process_time() - began < 2


def test_what_is_beyond_a_length_is_left_off_and_never_half_an_address():
    assert largest("a.jpg 1x, " + " " * (LONGEST - 15) + "b.jpg 2x") == "a.jpg"
