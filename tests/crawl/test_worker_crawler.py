"""A worker process from inside: which hosts it asks."""

import pytest

from pipeline.crawl.frontier import lane_of
from pipeline.crawl.request import Request, RequestPolicy
from pipeline.crawl.worker_crawler import WorkerCrawler, WorkerSetup
from pipeline.options import DownloadOptions


@pytest.fixture
def crawler(tmp_path):
    setup = WorkerSetup(index=2, lanes=2, connections=1, options=DownloadOptions(), root=tmp_path)
    crawler = WorkerCrawler(setup, None, [0])
    yield crawler
    crawler.http_client.close()


def test_a_host_of_another_lane_is_not_asked_once_it_is_shared_no_more(crawler, site, responders):
    site.routes["/x"] = responders.body(b"x")
    host = site.url.removeprefix("http://")
    assert lane_of(host, 2) == 1
    request = Request(site.url + "/x", RequestPolicy(max_bytes=9, allow_private=True, robots=False))
    crawler.handle("share", host)
    assert crawler.fetch(request, crawler.http_client).data == b"x"
    crawler.handle("unshare", host)
    assert crawler.fetch(request, crawler.http_client) is None
    assert site.hits == {"/x": 1}


def test_limits_of_hosts_of_other_lanes_are_divided(crawler):
    hosts = [f"h{number}.example:80" for number in range(20)]
    assert {(lane_of(host, 2), crawler.share_of(host)) for host in hosts} == {(1, 0.5), (2, 1.0)}
