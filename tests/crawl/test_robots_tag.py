"""Directives in X-Robots-Tag."""

import pytest

from pipeline.crawl.robots import robots_tag_refusal


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
def test_robots_tag_refusal_finds_directives_for_this_agent(lines, word):
    assert robots_tag_refusal(lines, "ganmill") == word
