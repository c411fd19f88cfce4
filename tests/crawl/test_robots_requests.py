"""The requests for robots.txt: rate limits of the hosts that it redirects to, and retries."""

import threading
import time

import pytest

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import Request, RequestPolicy

POLICY = RequestPolicy(max_bytes=1_000_000, allow_private=True)


@pytest.fixture
def client(options):
    """A client whose hosts get one request at a time."""
    client = HttpClient(options(retries=2, host_connections=1, host_rate=1e6))
    yield client
    client.close()


def get_together(client, urls):
    """Get every URL in a thread of its own; the results in the order of `urls`."""
    found = {}
    threads = [threading.Thread(target=lambda url=url: found.update({url: client.get(url, POLICY)})) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return [found.get(url) for url in urls]


def test_robots_txt_on_another_host_keeps_the_rate_limit_of_that_host(sites, responders, client):
    *others, target = sites
    target.routes["/rules.txt"] = responders.slow(0.1, responders.body("User-agent: *\nDisallow: /x", "text/plain"))
    for site in others:
        site.routes |= {"/robots.txt": responders.redirect(target.url + "/rules.txt"), "/y": responders.body(b"y")}
    found = get_together(client, [site.url + "/y" for site in others])
    assert [result.data for result in found] == [b"y"] * len(others)
    assert target.hits["/rules.txt"] == len(others)
    assert target.most_requests_at_once == 1


def test_two_hosts_whose_robots_txt_redirect_to_each_other_block_nobody(sites, responders, client):
    client.options = client.options.model_copy(update={"timeout": 0.3, "retries": 1})
    first, second = sites[:2]
    for site, other in ((first, second), (second, first)):
        site.routes |= {
            "/robots.txt": responders.slow(0.1, responders.redirect(other.url + "/robots.txt")),
            "/y": responders.body(b"y"),
        }
    assert None not in get_together(client, [first.url + "/y", second.url + "/y"])


def test_the_retry_of_a_robots_txt_blocks_no_thread(site, responders, client):
    site.routes |= {
        "/robots.txt": responders.one_after_another(
            responders.body(b"", status=503, Retry_After="1"), responders.body("", "text/plain")
        ),
        "/y": responders.body(b"y"),
    }
    request = Request(site.url + "/y", POLICY)
    began = time.monotonic()
    assert client.send(request) is None
    assert request.delay == pytest.approx(1, abs=0.5)
    assert time.monotonic() - began < request.delay
    assert site.hits == {"/robots.txt": 1}
    assert client.get(site.url + "/y", POLICY).data == b"y"
    assert site.hits == {"/robots.txt": 2, "/y": 1}


def test_a_pause_of_an_hour_ends_the_requests_to_a_host(site, responders, client):
    site.routes["/busy"] = responders.body(b"", status=429, Retry_After="3600")
    assert client.get(site.url + "/busy", POLICY).reason == "HTTP 429"
    fault = client.get(site.url + "/other", POLICY)
    assert (fault.reason, fault.passing) == ("host given up: it asks for a long pause", True)
    assert site.hits == {"/robots.txt": 1, "/busy": 1}
