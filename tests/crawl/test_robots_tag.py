"""What X-Robots-Tag forbids."""

import pytest

from pipeline.crawl.robots import refusal


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["noai"], "noai"),
        (["noindex, NoImageAI"], "noimageai"),
        (["noindex", "noai"], "noai"),
        (["*: noai"], "noai"),
        (["ganmill: noimageai"], "noimageai"),
        (["otherbot: noai, noindex"], ""),
        (["otherbot: noindex, ganmill: noai"], "noai"),
        (["max-snippet: 20, noai"], "noai"),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], "noai"),
        (["noindex, nofollow, noarchive"], ""),
        (["noaid"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_the_words_that_speak_to_us(lines, word):
    assert refusal(lines, "ganmill") == word
