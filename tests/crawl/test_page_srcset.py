"""The attribute srcset, by the algorithm of the HTML standard."""

import time

import pytest

from pipeline.crawl.page import MAX_SRCSET_LENGTH, largest_in_srcset


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
def test_largest_in_srcset_follows_the_html_standard(srcset, address):
    assert largest_in_srcset(srcset) == address


@pytest.mark.parametrize("token", ["a", " ", ",", "a ", "(", "a (", "1x,", "a 1x ", ") "])
def test_srcset_is_parsed_in_linear_time(token):
    began = time.process_time()
    largest_in_srcset(token * (1_000_000 // len(token)))
    assert time.process_time() - began < 2


def test_overlong_srcset_is_cut_without_an_incomplete_url():
    assert largest_in_srcset("a.jpg 1x, " + " " * (MAX_SRCSET_LENGTH - 15) + "b.jpg 2x") == "a.jpg"
