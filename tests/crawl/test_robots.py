"""robots.txt: what it allows, and what applies while it cannot be fetched."""

import random
import threading
import time

import pytest
from protego import Protego

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.robots import Robots, keep_rules_for
from pipeline.options import DownloadOptions


def robots_answering(result, requested=None, rate_limiter=None):
    def fetch(url):
        if requested is not None:
            requested.append(url)
        return result

    return Robots(fetch, "ganmill", rate_limiter or RateLimiter(DownloadOptions()))


def robots_txt(text):
    return Response(url="", data=text.encode())


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /private/", "/private/x.png", False),
        ("User-agent: *\nDisallow: /private/", "/public/x.png", True),
        ("User-agent: *\nDisallow: /*.png$", "/a/b.png", False),
        ("User-agent: *\nDisallow: /*.png$", "/a/b.png?w=1", True),
        ("User-agent: ganmill\nDisallow: /\n\nUser-agent: *\nAllow: /", "/x", False),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("<html>not rules at all", "/x", True),
    ],
)
def test_rules_allow_or_reject_path(text, path, allowed):
    refusal = robots_answering(robots_txt(text)).refusal(f"https://a.example{path}")
    assert (refusal is None) == allowed
    assert allowed or (refusal.outcome, refusal.reason) == ("rejected", "robots.txt")


def test_missing_robots_txt_allows_everything():
    assert robots_answering(RequestFault(reason="HTTP 404", status=404)).refusal("https://a.example/x") is None


@pytest.mark.parametrize(
    "fault", [RequestFault(reason="HTTP 503", passing=True), RequestFault(reason="x", host_answered=False)]
)
def test_unreachable_robots_txt_forbids_everything(fault):
    assert robots_answering(fault).refusal("https://a.example/x") == fault


def test_robots_txt_is_fetched_once_for_each_host_by_many_threads():
    requested = []
    rules_of = robots_answering(robots_txt(""), requested)
    threads = [
        threading.Thread(target=rules_of.refusal, args=(f"https://{host}.example/{number}",))
        for number in range(10)
        for host in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(requested) == ["https://a.example/robots.txt", "https://b.example/robots.txt"]


def test_crawl_delay_sets_the_rate_limit():
    now = [0.0]
    rate_limiter = RateLimiter(DownloadOptions(), clock=lambda: now[0])
    robots_answering(robots_txt("User-agent: *\nCrawl-delay: 5"), rate_limiter=rate_limiter).refusal(
        "https://a.example/x"
    )
    assert rate_limiter.try_acquire("a.example:443") == 5
    now[0] = 5.0
    assert rate_limiter.try_acquire("a.example:443") == 0
    rate_limiter.release("a.example:443")
    assert rate_limiter.try_acquire("a.example:443") == 5


def test_too_long_crawl_delay_is_a_refusal():
    refusal = robots_answering(robots_txt("User-agent: *\nCrawl-delay: 86400")).refusal("https://a.example/x")
    assert (refusal.outcome, refusal.reason) == ("rejected", "robots.txt: 86400 s between requests")


@pytest.mark.parametrize("rate", ["1/" + "9" * 400, "1/" + "9" * 5000 + "d"])
def test_huge_request_rate_is_parsed(rate):
    refusal = robots_answering(robots_txt(f"User-agent: *\nRequest-rate: {rate}\nDisallow: /x")).refusal(
        "https://a.example/x"
    )
    assert refusal.reason.startswith("robots.txt")


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"user-agent: a{number}\n" for number in range(12_000)) + "disallow: /a\n" * 20_000,
        "".join(f"user-agent: {'ganmill'[:end]}\n" for end in range(1, 8)) + "allow: /*a$\n" * 20_000,
        "user-agent: *\ndisallow: /" + "*a" * 250_000,
    ],
    ids=["agents", "names", "wildcards"],
)
def test_half_a_megabyte_of_rules_is_parsed_in_linear_time(text):
    began = time.process_time()
    robots_answering(robots_txt(text)).refusal("https://a.example/" + "a" * 4000 + "b")
    assert time.process_time() - began < 10


def test_keep_rules_for_gives_the_same_decisions_as_protego():
    names = ["*", "ganmill", "GANmill*", "gan", "ganmillx", "mill", "other", "Other # ganmill", ""]
    lines = [f"User-agent: {name}" for name in names] + ["Disallow: /a", "Allow: /a/b", "Crawl-delay: 3", "odd: 1", ""]
    chance = random.Random(1)
    for _ in range(2000):
        text = "\n".join(chance.choices(lines, k=chance.randrange(12)))
        whole, ours = Protego.parse(text), Protego.parse(keep_rules_for("ganmill", text))
        for path in ("/a", "/a/b", "/c"):
            url = f"https://a.example{path}"
            assert whole.can_fetch(url, "ganmill") == ours.can_fetch(url, "ganmill"), text
        assert whole.crawl_delay("ganmill") == ours.crawl_delay("ganmill"), text


def test_rules_of_many_hosts_are_limited_in_memory(monkeypatch):
    monkeypatch.setattr("pipeline.crawl.robots.MAX_TOTAL_RULES", 30_000)
    monkeypatch.setattr("pipeline.crawl.robots.SHORT_FILE", 8_000)
    long, short = robots_txt("user-agent: *\n" + "disallow: /a\n" * 1000), robots_txt("user-agent: *\ndisallow: /a\n")
    one = Robots(lambda url: short if "short" in url else long, "ganmill", RateLimiter(DownloadOptions()))
    found = [one.refusal(f"https://{host}.example/b") for host in ("a", "b", "c", "short")]
    assert [fault.reason if fault else "" for fault in found] == ["", "", "robots.txt: too long", ""]


def test_rules_that_were_used_longest_ago_are_forgotten_and_hold_when_fetched_again(monkeypatch):
    monkeypatch.setattr("pipeline.crawl.robots.MAX_TOTAL_RULES", 3_500)
    requested = []
    one = robots_answering(robots_txt("user-agent: *\ndisallow: /a\n"), requested)
    for host in "abcabda":
        assert one.refusal(f"https://{host}.example/a").reason == "robots.txt"
        assert one.refusal(f"https://{host}.example/b") is None
    assert "".join(url[len("https://")] for url in requested) == "abcd"
    assert one.refusal("https://c.example/a").reason == "robots.txt"
    assert len(requested) == 5
