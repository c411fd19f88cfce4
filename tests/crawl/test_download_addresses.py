"""Addresses that the download refuses or cannot reach."""

import socket

import pytest

from pipeline.errors import UserError


def test_private_address_is_refused_unless_allowed(site, run):
    site.page("/", *site.pictures(1))

    with pytest.raises(UserError, match=r"private address.*if these are yours, `--download-allow-private` allows them"):
        run(allow_private=False)
    assert not site.hits


def test_private_address_in_the_list_of_the_user_names_the_switch(site, run, tmp_path):
    (tmp_path / "urls.txt").write_text(site.url + site.pictures(1)[0])
    with pytest.raises(UserError, match="`--download-allow-private` allows them"):
        run(allow_private=False, sources=("urls",), urls=str(tmp_path / "urls.txt"))


def test_private_address_that_a_page_links_to_names_no_switch(site, run, monkeypatch):
    monkeypatch.setattr("pipeline.crawl.http_client.names_private", lambda url: "10.0.0.1" in url)
    monkeypatch.setattr("pipeline.crawl.transport.is_private", lambda address: False)
    site.page("/", *site.pictures(1), "http://10.0.0.1/x.png")
    result, _ = run(allow_private=False)
    assert result.summary["reasons"] == {"private address": 1}
    assert not any("allow-private" in notice for notice in result.summary["notices"])


def test_host_name_that_resolves_to_a_private_address_is_refused(site, run, monkeypatch):
    port = int(site.url.rsplit(":", 1)[1])
    home = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: home)

    with pytest.raises(UserError, match="private address"):
        run(allow_private=False, site=f"http://innocent.example:{port}/")
    assert not site.hits


def test_unreachable_network_error_names_host_reason_and_remedy(run):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port} \(connection refused\).*sources = folder") as caught:
        run(site=f"http://127.0.0.1:{port}/")
    assert "\n" not in str(caught.value)


def test_unknown_host_name_is_named_in_the_error(run, monkeypatch):
    def raise_unknown_host(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", raise_unknown_host)
    with pytest.raises(UserError, match=r"x\.invalid \(name not found\).*check the network or proxy"):
        run(site="http://x.invalid/")
