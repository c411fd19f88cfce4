"""The demo site as a crawler sees it."""

import http.client
import re
import threading
import urllib.error
import urllib.request
from urllib.parse import urljoin, urlsplit

import pytest
from protego import Protego

from pipeline import demo
from pipeline.demo.catalogue import entries
from pipeline.demo.files import file_of

PICTURES = 64
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def site():
    with demo.serve(pictures=PICTURES) as served:
        yield served


def get(url: str) -> tuple[int, str, bytes]:
    """Status, media type and body."""
    try:
        with OPENER.open(url, timeout=20) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read()


@pytest.fixture(scope="module")
def crawled_pages(site) -> dict[str, str]:
    """Path and text of every page that is linked, including those that robots.txt forbids."""
    found, waiting = {}, [site.url]
    while waiting:
        url = waiting.pop()
        status, kind, body = get(url)
        found[urlsplit(url).path] = body.decode() if (status, kind) == (200, "text/html") else ""
        links = [urljoin(url, link) for link in re.findall(r'<a href="([^"]+\.html)"', body.decode())]
        waiting += [link for link in dict.fromkeys(links) if urlsplit(link).path not in found and link not in waiting]
    return found


def pictures_on(page: str) -> list[str]:
    return re.findall(r'<img src="([^"]+)"', page)


def test_each_picture_is_on_a_linked_page(crawled_pages):
    shown = {path for page in crawled_pages.values() for path in pictures_on(page)}
    assert shown - {"/drafts/sketch.jpg"} == {each.path for each in entries(PICTURES)}


def test_pages_link_to_the_index_and_one_link_is_dead(crawled_pages):
    assert [path for path, page in crawled_pages.items() if not page] == ["/gallery/old.html"]
    assert all('href="/index.html"' in page for path, page in crawled_pages.items() if path.startswith("/gallery/page"))


def test_gallery_mixes_on_and_off_target_pictures(crawled_pages):
    truth = demo.truth(pictures_on(crawled_pages["/gallery/page-01.html"]))
    assert 0.35 < list(truth.values()).count("on") / len(truth) < 0.85


def test_titles_do_not_reveal_the_label(crawled_pages):
    words = {"on": set(), "off": set()}
    for page in crawled_pages.values():
        for path, alt in re.findall(r'<img src="(/pictures/[^"]+)" alt="([^"]+)"', page):
            for label in demo.truth([path]).values():
                words[label].add(alt)
    assert words["off"]
    assert words["off"] <= words["on"]


def test_robots_txt_forbids_the_existing_drafts(site, crawled_pages):
    rules = Protego.parse(get(urljoin(site.url, "/robots.txt"))[2].decode())
    assert not rules.can_fetch(urljoin(site.url, "/drafts/index.html"), "anyone")
    assert not rules.can_fetch(urljoin(site.url, "/drafts/sketch.jpg"), "anyone")
    assert rules.can_fetch(urljoin(site.url, "/pictures/0000.jpg"), "anyone")
    assert 'href="/drafts/index.html"' in crawled_pages["/index.html"]
    assert pictures_on(crawled_pages["/drafts/index.html"]) == ["/drafts/sketch.jpg"]
    assert get(urljoin(site.url, "/drafts/sketch.jpg"))[0] == 200


def test_page_has_a_licence(crawled_pages):
    assert 'rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"' in crawled_pages["/index.html"]


def test_served_bytes_are_those_of_the_catalogue(site):
    for each in entries(PICTURES)[:30]:
        status, _, body = get(urljoin(site.url, each.path))
        assert (status, body if status == 200 else None) == (404 if each.form == "missing" else 200, file_of(each, 0))


def test_dead_links_are_404_and_html_is_served_as_jpeg(site):
    paths = {each.form: each.path for each in entries(PICTURES)}
    assert get(urljoin(site.url, paths["missing"]))[0] == 404
    assert get(urljoin(site.url, "/nothing"))[0] == 404
    assert get(urljoin(site.url, "/pictures/9999.jpg"))[0] == 404
    status, kind, body = get(urljoin(site.url, paths["page"]))
    assert (status, kind, body[:9]) == (200, "image/jpeg", b"<!DOCTYPE")


def test_late_picture_is_served_at_the_second_request():
    late = next(each for each in entries(700) if each.form == "late")
    with demo.serve(pictures=late.number + 1) as site:
        answers = [get(urljoin(site.url, late.path)) for _ in range(2)]
    assert [status for status, _, _ in answers] == [503, 200]
    assert answers[1][2] == file_of(late, 0)


def test_root_redirects_to_the_index(site):
    assert get(urljoin(site.url, "/"))[2] == get(site.url)[2]


def test_all_threads_end_when_the_site_closes():
    before = set(threading.enumerate())
    with demo.serve(pictures=60) as site:
        host = urlsplit(site.url).netloc
        kept = OPENER.open(site.url, timeout=20)
    kept.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match=r"refused|urlopen"):
        OPENER.open(f"http://{host}/index.html", timeout=5)


def test_open_connection_does_not_delay_the_end():
    before = set(threading.enumerate())
    with demo.serve(pictures=60) as site:
        connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
        connection.request("GET", "/robots.txt")
        assert connection.getresponse().read().startswith(b"User-agent")
    assert set(threading.enumerate()) <= before
    connection.close()


def test_site_listens_on_loopback_only(site):
    assert urlsplit(site.url).hostname == "127.0.0.1"
