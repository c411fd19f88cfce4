"""Addresses on the standard input."""

import io
import sys
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from tasks import settings


@pytest.fixture
def type_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def type_in(text: str):
        stream = SimpleNamespace(buffer=io.BytesIO(text.encode()), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)
        return settings.from_standard_input("cats")

    return type_in


def test_the_same_addresses_are_the_same_file_and_others_another_one(type_in):
    first, again, other = (
        type_in("http://a.example/1\n"),
        type_in("http://a.example/1\n"),
        type_in("http://a.example/2"),
    )
    assert first == again != other
    assert first.read_text() == "http://a.example/1\n"


def test_no_addresses_are_a_mistake_that_is_named(type_in):
    with pytest.raises(UserError, match="nothing came on the standard input"):
        type_in("\n \n")
