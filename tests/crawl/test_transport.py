"""Private IP addresses, and URLs that contain them."""

import pytest

from pipeline.crawl.transport import is_private, names_private

PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1%eth0"]
PRIVATE += [
    "fd00::1",
    "::ffff:10.0.0.1",
    "::",
    "100.64.0.1",
    "2002:7f00:1::",
    "64:ff9b::a00:1",
    "fec0::1",
    "::127.0.0.1",
]
PRIVATE += ["::ffff:0:7f00:1", "64:ff9b:1::7f00:1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_private(address):
    assert is_private(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_not_private(address):
    assert not is_private(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "localhost", "LOCALHOST.", "a.localhost", "2130706433", "0x7f.1", "127.1", "0", "10.1"],
)
def test_names_private_accepts_each_notation_of_an_address(host):
    assert names_private(f"http://{host}:80/x.png")


@pytest.mark.parametrize(
    "host", ["a.example", "8.8.8.8", "134744072", "localhost.example", "127.0.0.1.example", "ピカ.example"]
)
def test_names_private_is_false_for_public_hosts(host):
    assert not names_private(f"http://{host}/x.png")
