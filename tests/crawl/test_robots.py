"""robots.txt: what it allows, and what applies while it cannot be fetched."""

import random
import threading
import time

import pytest
from protego import Protego

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.robots import Robots, RulesPending, keep_rules_for
from pipeline.options import DownloadOptions


def robots_answering(result, requested=None, rate_limiter=None):
    def fetch(request):
        if requested is not None:
            requested.append(request.start_url)
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
    one = Robots(
        lambda request: short if "short" in request.start_url else long, "ganmill", RateLimiter(DownloadOptions())
    )
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


def test_long_files_do_not_make_short_ones_be_fetched_again(monkeypatch):
    monkeypatch.setattr("pipeline.crawl.robots.MAX_TOTAL_RULES", 30_000)
    monkeypatch.setattr("pipeline.crawl.robots.SHORT_FILE", 8_000)
    long, short = robots_txt("user-agent: *\n" + "disallow: /a\n" * 1000), robots_txt("user-agent: *\ndisallow: /a\n")
    requested = []

    def fetch(request):
        requested.append(request.host)
        return short if "short" in request.host else long

    rules_of = Robots(fetch, "ganmill", RateLimiter(DownloadOptions()))
    for number in range(10):
        rules_of.refusal(f"https://long{number}.example/b")
    for _ in range(3):
        assert rules_of.refusal("https://short.example/a").reason == "robots.txt"
    assert requested.count("short.example:443") == 1


def test_a_retry_of_robots_txt_is_left_to_later_and_nobody_asks_before():
    now, answers = [0.0], [None, robots_txt("user-agent: *\ndisallow: /a\n")]

    def fetch(request):
        request.delay = 5.0
        return answers.pop(0)

    rules_of = Robots(fetch, "ganmill", RateLimiter(DownloadOptions(), clock=lambda: now[0]))
    for at, seconds in ((0, 5), (2, 3)):
        now[0] = at
        with pytest.raises(RulesPending) as caught:
            rules_of.refusal("https://a.example/b")
        assert caught.value.seconds == seconds
    now[0] = 5
    assert rules_of.refusal("https://a.example/a").reason == "robots.txt"


def test_crawl_delay_holds_again_when_the_limit_of_its_host_was_forgotten(monkeypatch):
    monkeypatch.setattr("pipeline.crawl.rate_limit.MAX_HOSTS", 5)
    now, requested = [0.0], []
    limiter = RateLimiter(DownloadOptions(), clock=lambda: now[0])
    rules_of = robots_answering(robots_txt("User-agent: *\nCrawl-delay: 30"), requested, limiter)
    rules_of.refusal("https://a.example/x")
    now[0] = 100
    for number in range(10):
        limiter.pause(f"h{number}.example:443", 1)
    assert limiter.try_acquire("a.example:443") == 0
    rules_of.refusal("https://a.example/x")
    limiter.release("a.example:443")
    assert limiter.try_acquire("a.example:443") == 30
    assert len(requested) == 1
