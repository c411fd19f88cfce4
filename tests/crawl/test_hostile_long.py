"""Traps that a server, a file or a folder can set: each in its own crawl, with its time and memory.

Among the traps are ordinary pictures, which must all be saved. `make test-long` prints the table.
"""

import gzip
import json
import os
import random
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crawl.tiff import big_tiff_header

pytestmark = pytest.mark.long

MEGABYTES = 10_000_000  # bytes of a page, of which no more are read
ORDINARY = 40
FLOODS = {"/texts", "/pictures", "/base"}  # pages with more pictures than the limit
SECONDS, MIB = 120, 400  # maximum for a crawl, which must neither hang nor exhaust the memory
CRAWL = """
import json, sys, time
from pathlib import Path
from pipeline.crawl.download import download
from pipeline.crawl.sources import baidu, bing, google, openverse
from pipeline.options import DownloadOptions
from tests.memory import peak_mib
folder, wanted, url = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
for service in (baidu, bing, google, openverse):
    service.SEARCH = f"{url}/{service.__name__.rpartition('.')[2]}"
options = DownloadOptions(**{key: tuple(value) if isinstance(value, list) else value for key, value in wanted.items()})
before, began = peak_mib(), time.monotonic()
result = download(options, dataset=folder / "dataset", folder=folder / "out")
figures = {"seconds": time.monotonic() - began, "mib": peak_mib() - before}
print(json.dumps({"summary": result.summary, **figures}))
"""


@dataclass(kw_only=True)
class Trap:
    """What the first page shows besides the ordinary pictures, and the options of the crawl."""

    images: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    options: dict = field(default_factory=dict)


class Routes(dict):
    """Routes that also match a path without its query."""

    def get(self, path, default=None):
        return super().get(path) or super().get(path.partition("?")[0], default)


def fill_page(token):
    return (token * (MEGABYTES // len(token) - 1)).encode()


def serve_pages(site, reply, **bodies):
    """Serve HTML pages by name; each shows an ordinary picture before the trap."""
    for name, data in bodies.items():
        page = b'<!doctype html><img src="/p/0000.png">' + (data if isinstance(data, bytes) else data.encode())
        site.routes[f"/{name}"] = reply.body(page[:MEGABYTES], "text/html")
    return Trap(pages=[f"/{name}" for name in bodies])


def serve_pictures(site, **handlers):
    """Serve pictures by name."""
    site.routes |= {f"/{name}.png": handler for name, handler in handlers.items()}
    return Trap(images=[f"/{name}.png" for name in handlers])


def raw(text, *, then=b""):
    """A responder that sends `text` as it is, then `then` for ever."""

    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(text)
        while then:
            handler.wfile.write(then)

    return answer


# Traps: functions of a site, the responders and a folder


def markup_before_svg(site, reply, folder):
    kinds = {
        "marks": b"<!>" * 60,
        "comments": b"<!-- " * 60,
        "spaces": b" " * 2000 + b"<",
        "xml": b"<?xml>" + b"<!>" * 99,
    }
    return serve_pictures(site, **{name: reply.body(data) for name, data in kinds.items()})


def markup_in_files(site, reply, folder):
    for number in range(20):
        (folder / f"{number}.svg").write_bytes(b"<!>" * 60)
    return Trap(options={"sources": ["folder", "site"], "folder": str(folder)})


def numbers(site, reply, folder):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: "
    handlers = {
        f"length{digits}": raw(head + b"9" * digits + b"\r\n\r\n<html>") for digits in (16, 19, 30, 400, 4301, 60_000)
    }
    handlers |= {f"tiff{bits}": reply.body(big_tiff_header(2**bits)) for bits in (31, 53, 62, 63)}
    busy = [b"9" * 400, b"9" * 60_000, b"Fri, 31 Dec 99999 23:59:59 GMT", b"nan"]
    for number, wait in enumerate(busy):
        handlers[f"busy{number}"] = raw(b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: " + wait + b"\r\n\r\n")
    handlers["status"] = raw(b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n")
    return serve_pictures(site, **handlers)


def srcsets(site, reply, folder):
    one = "<img srcset='" + "a" * 16_000 + "'>"
    two = "<img srcset='" + "a 1x (" * 3000 + "'>"
    three = "<img srcset='" + "a.jpg 1x, " * 2000 + "'>"
    return serve_pages(
        site, reply, a=fill_page(one), b=fill_page(two), c=fill_page(three), d="<img srcset='" + "a " * 4_000_000
    )


def nested(site, reply, folder):
    return serve_pages(
        site,
        reply,
        links=fill_page("<a href=x.jpg><b>"),
        texts="".join(f"<a href=x{number}.jpg><i>w" for number in range(MEGABYTES // 24)),
        elements=fill_page("<b>"),
        divisions=fill_page("<div>"),
        ends=b"<b>" * 4000 + fill_page("</x>"),
        tables=fill_page("<table><tr><td>"),
    )


def many_items(site, reply, folder):
    return serve_pages(
        site,
        reply,
        pictures="".join(f"<img src=/n/{number}.html>" for number in range(0, 60_000)),
        same=fill_page("<img src=/p/0001.png>"),
        attributes="<img " + " ".join(f"a{number}" for number in range(MEGABYTES // 9)) + ">",
        one=f"<img src='{'a/' * (MEGABYTES // 2)}'>",
        marks=fill_page("<"),
        entities=fill_page("&amp;"),
        metas=fill_page("<meta charset="),
        noise=random.Random(1).randbytes(MEGABYTES),
    )


def long_addresses(site, reply, folder):
    trap = serve_pages(
        site,
        reply,
        long="".join(f"<img src='/{number}{'é' * 2000}.png'>" for number in range(400)),
        names="".join(f"<img src='http://{'日.' * 1000}{number}/x.jpg'>" for number in range(1000)),
        base=f"<base href='/{'d/' * 1990}'>" + "".join(f"<img src={number}>" for number in range(100_000)),
    )
    return Trap(images=["/" + "x" * 5000, "/" + "x" * 100_000], pages=trap.pages, options={"limit": 2000})


def endless_links(site, reply, folder):
    class Endless(Routes):
        def get(self, path, default=None):
            if not path.startswith("/z"):
                return super().get(path, default)
            links = "".join(f"<a href={path}/{number}>" for number in range(200_000))
            return reply.body(links[:MEGABYTES], "text/html")

    site.routes = Endless(site.routes)
    return Trap(pages=["/z"], options={"pages": 12})


def base_urls_and_titles(site, reply, folder):
    bases = ["http://[", "javascript:alert(1)", "data:,x", "", "http://a:99999999/", "//", "\x1b[2J"]
    heads = {f"base{number}": f'<base href="{base}"><img src="/p/0002.png">' for number, base in enumerate(bases)}
    title = (
        "<title>" + "\x1b[31m\u202e&#x9b;" * 100_000 + "</title><meta name=author content='" + "\n" * 1_000_000 + "'>"
    )
    odd = {f"odd{number}": reply.body(b"", f"\x9b31m{number}" + "x" * 60_000) for number in range(30)}
    site.routes |= {f"/{name}": handler for name, handler in odd.items()}
    trap = serve_pages(site, reply, words=title + '<img src="/p/0003.png">', **heads)
    return Trap(pages=trap.pages + [f"/{name}" for name in odd])


def redirects(site, reply, folder):
    handlers = {
        "long": reply.redirect("/" + "x" * 60_000),
        "dots": reply.redirect("/" + "../" * 20_000),
        "too-long": reply.redirect("/" + "x" * 1_000_000),
        "loop": reply.redirect("/loop.png"),
        "grows": lambda handler: reply.redirect(handler.path + "/" + "x" * 1000)(handler),
        "odd": reply.redirect("http://[\x9b"),
        "user": reply.redirect("http://" + "@" * 4000),
    }
    return serve_pictures(site, **handlers)


def heads(site, reply, folder):
    ok = b"HTTP/1.1 200 OK\r\n"
    return serve_pictures(
        site,
        reason=raw(b"HTTP/1.1 200 " + b"x" * 1_000_000 + b"\r\n\r\n"),
        flood=raw(ok + (b"X-Robots-Tag: " + b"a, " * 20_000 + b"\r\n") * 90 + b"Content-Length: 0\r\n\r\n"),
        endless=raw(ok, then=b"a: b\r\n" * 1000),
        line=raw(ok + b"a: ", then=b"b" * 60_000),
        going_on=raw(b"", then=b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        hints=raw(b"", then=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
        extension=raw(ok + b"Transfer-Encoding: chunked\r\n\r\n1;", then=b"x" * 60_000),
        chunk=raw(ok + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\n"),
        chunks=raw(ok + b"Transfer-Encoding: chunked\r\n\r\n", then=b"1\r\nx\r\n" * 1000),
        trailers=raw(ok + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", then=b"a: b\r\n" * 1000),
    )


def packed(site, reply, folder):
    bomb = gzip.compress(bytes(500_000_000), 9)
    ok = b"HTTP/1.1 200 OK\r\nContent-Encoding: "
    return serve_pictures(
        site,
        bomb=reply.body(bomb, Content_Encoding="gzip"),
        bombs=reply.body(gzip.compress(bomb, 9), Content_Encoding="gzip, gzip"),
        many=reply.body(bomb, Content_Encoding=", ".join(["gzip"] * 5000)),
        nothing=raw(ok + b"deflate\r\n\r\n", then=b"\0\0\0\xff\xff" * 10_000),
        members=raw(ok + b"gzip\r\n\r\n", then=gzip.compress(b"") * 1000),
    )


def picture_headers(site, reply, folder):
    blocks = 19_000_000 // 4
    ifd = struct.pack("<H", 65_000) + b"".join(
        struct.pack("<HHII", 1000 + n % 60_000, 7, 10_000_000, 8) for n in range(65_000)
    )
    return serve_pictures(
        site,
        jpeg=reply.body(b"\xff\xd8" + b"\xff\xe5\0\2" * blocks),
        gif=reply.body(b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1a\0" * (blocks * 4 // 5)),
        tiff=reply.body((b"II*\0" + struct.pack("<I", 8) + ifd).ljust(19_000_000, b"\0")),
        png=reply.body(b"\x89PNG\r\n\x1a\n" + bytes(19_000_000)),
        webp=reply.body(b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(19_000_000)),
    )


def robots_txt(site, reply, folder, text):
    site.routes["/robots.txt"] = reply.body(text, "text/plain")
    return Trap()


def robots_txt_for_many_agents(site, reply, folder):
    agents = "".join(f"user-agent: a{number}\n" for number in range(15_000))
    return robots_txt(site, reply, folder, agents + "disallow: /a\n" * 700_000)


def robots_txt_with_wildcards(site, reply, folder):
    many = "".join(f"disallow: /*a*{number}*b*c$\n" for number in range(300_000))
    trap = robots_txt(site, reply, folder, "user-agent: *\ndisallow: /" + "*a" * 100_000 + "\n" + many)
    trap.images = [f"/{'a' * 3900}{number}.png" for number in range(50)]
    return trap


def robots_txt_with_numbers(site, reply, folder):
    odd = "".join(
        f"request-rate: 1/{'9' * digits}\ncrawl-delay: {word}\n" for digits, word in ((400, "nan"), (5000, "inf"))
    )
    return robots_txt(
        site, reply, folder, f"user-agent: other\n{odd}crawl-delay: 1e308\nuser-agent: *\ncrawl-delay: nan\n"
    )


def search_services(site, reply, folder):
    results = "".join(f'<a class=iusc m=\'{{"murl":"http://[{number}"}}\'>' for number in range(150_000))
    deep = "<div class=imgpt>" * 100_000 + f"<a m='{'[' * 1_000_000}'>"
    site.routes |= {
        "/bing": reply.one_after_another(reply.body(deep, "text/html"), reply.body(results, "text/html")),
        "/google": reply.body("<script>" + '["http://x\\"' * 300_000 + '["http://x/y",' + " " * 1_000_000, "text/html"),
        "/openverse": reply.body('{"results":[' + "{}," * 1_000_000 + '{}],"page_count":1e400}', "application/json"),
        "/baidu": reply.body("[" * 3_000_000, "application/json"),
    }
    return Trap(options={"sources": ["bing", "google", "openverse", "baidu", "site"], "query": ["x"], "pages": 5})


def folder_of_files(site, reply, folder):
    for number in range(20_000):
        (folder / f"{number:05}.txt").write_bytes(b"x")
    for name in (b"\x1b[31m.png", b"a\nb.png", b"\xff\xfe.png", "\u202egnp.png".encode()):
        (folder / os.fsdecode(name)).write_bytes(reply.png(999))
    return Trap(options={"sources": ["folder", "site"], "folder": str(folder), "mixed": True, "limit": 1000})


def url_list(site, reply, folder):
    path = folder / "urls.txt"
    with path.open("wb") as file:
        file.write(b"http://a.example/" + b"x" * 300_000_000 + b"\n\x1b[31m\n\xff\xfe\nhttp://[\nfile:///etc/passwd\n")
    return Trap(options={"sources": ["urls", "site"], "urls": str(path)})


TRAPS = [
    *(markup_before_svg, markup_in_files, numbers, srcsets, nested, many_items, long_addresses, endless_links),
    *(base_urls_and_titles, redirects, heads, packed, picture_headers, robots_txt_for_many_agents),
    *(robots_txt_with_wildcards, robots_txt_with_numbers, search_services, folder_of_files, url_list),
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_trap_takes_bounded_time_and_memory_and_loses_no_picture(trap, site, responders, tmp_path, capsys):
    site.routes = Routes(site.routes)
    (tmp_path / "folder").mkdir()
    ordinary = site.pictures(ORDINARY)
    set_up = trap(site, responders, tmp_path / "folder")
    pages = sorted([*set_up.pages, "/last"], key=lambda page: page in FLOODS)
    site.page("/", *ordinary[::2], *set_up.images, *(f">{page}" for page in pages))
    site.page("/last", *ordinary[1::2])

    found, rows = crawl(tmp_path, site.url, set_up.options)

    with capsys.disabled():
        counted = " ".join(f"{name} {found['summary'][name]}" for name in ("saved", "rejected", "failed"))
        print(f"\n{trap.__name__:24} {found['seconds']:6.1f} s {found['mib']:6.0f} MiB  {counted}", end=" ")
    outcomes = {row["url"].removeprefix(site.url): row["outcome"] for row in rows}
    assert {outcomes[path] for path in ordinary} == {"saved"}
    assert len(set_up.images) <= len(outcomes) - ORDINARY
    summary = found["summary"]
    assert summary["requested"] == len(rows) == len(outcomes)
    assert sum(summary[name] for name in ("saved", "duplicate", "rejected", "failed")) == len(rows)
    shown_lines = [*summary["notices"], *summary["reasons"], *(str(value) for row in rows for value in row.values())]
    assert all(line.isprintable() and len(line) < 5000 for line in shown_lines)
    assert found["seconds"] < SECONDS
    assert found["mib"] < MIB


def crawl(tmp_path, url, options):
    base = {"sources": ["site"], "site": url, "allow_private": True, "timeout": 5.0, "retries": 0, "limit": 2000}
    command = [sys.executable, "-c", CRAWL, tmp_path, json.dumps(base | options), url]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    rows = [json.loads(line) for line in (tmp_path / "out" / "images.jsonl").read_text().splitlines()]
    return json.loads(done.stdout), rows
