"""Sanitising text from servers and file names."""

import pytest

from pipeline.text import counted, escaped, to_plain_line


@pytest.mark.parametrize(("number", "words"), [(0, "0 labels"), (1, "1 label"), (3141, "3,141 labels")])
def test_number_stands_with_its_noun(number, words):
    assert counted(number, "label") == words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Pikachu 皮卡丘", "Pikachu 皮卡丘"),
        ("two\nlines\tand\rmore", "two lines and more"),
        ("\x1b[31mred\x1b[0m", " [31mred [0m"),
        ("C1 \x9b31m and \x85", "C1  31m and  "),
        ("line\u2028paragraph\u2029", "line paragraph "),
        ("gpj.\u202eexe\u2066x\u2069", "gpj.exex"),
        ("half \ud83d", "half ?"),
        ("family 👨\u200d👩", "family 👨\u200d👩"),
        ("wide\u3000space", "wide\u3000space"),
    ],
)
def test_to_plain_line_removes_control_characters(text, line):
    assert to_plain_line(text, 100) == line


def test_to_plain_line_cuts_long_text_with_an_ellipsis():
    assert to_plain_line("x" * 10, 10) == "x" * 10
    assert to_plain_line("x" * 11, 10) == "x" * 9 + "…"
    assert len(to_plain_line("\x1b" * 10_000_000, 300)) == 300


def test_escaped_keeps_different_urls_different():
    assert escaped("http://a.example/ピカ") == "http://a.example/ピカ"
    assert escaped("x:\x1b\u202e\ud83d") == "x:%1B%E2%80%AE%ED%A0%BD"
