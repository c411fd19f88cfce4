"""robots.txt: what it allows, and what holds while it cannot be had."""

import random
import threading
import time

import pytest
from protego import Protego

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import Fault, Response
from pipeline.crawl.robots import Robots, rules_for
from pipeline.options import DownloadOptions


def robots(answer, asked=None, hosts=None):
    def fetch(url):
        if asked is not None:
            asked.append(url)
        return answer

    return Robots(fetch, "ganmill", hosts or RateLimiter(DownloadOptions()))


def rules(text):
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
def test_rules_are_kept(text, path, allowed):
    refusal = robots(rules(text)).refusal(f"https://a.example{path}")
    assert (refusal is None) == allowed
    assert allowed or (refusal.outcome, refusal.reason) == ("rejected", "robots.txt")


def test_without_a_file_all_is_allowed():
    assert robots(Fault(reason="HTTP 404", status=404)).refusal("https://a.example/x") is None


@pytest.mark.parametrize("fault", [Fault(reason="HTTP 503", passing=True), Fault(reason="x", answered=False)])
def test_while_the_file_cannot_be_had_nothing_is_asked_for(fault):
    assert robots(fault).refusal("https://a.example/x") == fault


def test_each_host_is_asked_once_even_by_many_threads():
    asked = []
    rules_of = robots(rules(""), asked)
    threads = [
        threading.Thread(target=rules_of.refusal, args=(f"https://{host}.example/{number}",))
        for number in range(10)
        for host in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == ["https://a.example/robots.txt", "https://b.example/robots.txt"]


def test_the_pace_that_a_host_asks_for_is_kept():
    now = [0.0]
    hosts = RateLimiter(DownloadOptions(), clock=lambda: now[0])
    robots(rules("User-agent: *\nCrawl-delay: 5"), hosts=hosts).refusal("https://a.example/x")
    assert hosts.begin("a.example:443") == 5
    now[0] = 5.0
    assert hosts.begin("a.example:443") == 0
    hosts.end("a.example:443")
    assert hosts.begin("a.example:443") == 5


def test_a_pace_that_no_crawl_can_keep_is_a_refusal():
    refusal = robots(rules("User-agent: *\nCrawl-delay: 86400")).refusal("https://a.example/x")
    assert (refusal.outcome, refusal.reason) == ("rejected", "robots.txt: 86400 s between requests")


@pytest.mark.parametrize("rate", ["1/" + "9" * 400, "1/" + "9" * 5000 + "d"])
def test_numbers_without_bounds_are_read(rate):
    refusal = robots(rules(f"User-agent: *\nRequest-rate: {rate}\nDisallow: /x")).refusal("https://a.example/x")
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
def test_half_a_megabyte_of_rules_takes_no_longer_than_reading_them(text):
    began = time.process_time()
    robots(rules(text)).refusal("https://a.example/" + "a" * 4000 + "b")
    assert time.process_time() - began < 10


def test_the_rules_for_us_are_those_that_protego_finds():
    names = ["*", "ganmill", "GANmill*", "gan", "ganmillx", "mill", "other", "Other # ganmill", ""]
    lines = [f"User-agent: {name}" for name in names] + ["Disallow: /a", "Allow: /a/b", "Crawl-delay: 3", "odd: 1", ""]
    chance = random.Random(1)
    for _ in range(2000):
        text = "\n".join(chance.choices(lines, k=chance.randrange(12)))
        whole, ours = Protego.parse(text), Protego.parse(rules_for("ganmill", text))
        for path in ("/a", "/a/b", "/c"):
            url = f"https://a.example{path}"
            assert whole.can_fetch(url, "ganmill") == ours.can_fetch(url, "ganmill"), text
        assert whole.crawl_delay("ganmill") == ours.crawl_delay("ganmill"), text


def test_hosts_without_number_do_not_fill_the_memory_with_rules(monkeypatch):
    monkeypatch.setattr("pipeline.crawl.robots.MOST_RULES", 30_000)
    long, short = rules("user-agent: *\n" + "disallow: /a\n" * 1000), rules("user-agent: *\ndisallow: /a\n")
    one = Robots(lambda url: short if "short" in url else long, "ganmill", RateLimiter(DownloadOptions()))
    found = [one.refusal(f"https://{host}.example/b") for host in ("a", "b", "c", "short")]
    assert [fault.reason if fault else "" for fault in found] == ["", "", "robots.txt: too long", ""]
