import codecs
import json

import pytest

from pipeline.gan.config import read_definition


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; a definition that takes every default is {}"),
        (" \n", "is empty"),
        ("{", "not JSON at line 1, column 2"),
        ('{\n  "batch": 64,\n}', "not JSON at line"),
        ("{'batch': 64}", "single quotes?"),
        ("{64: 1}", "property name enclosed in double quotes"),
        ('{"batch": 64} // mine', "not JSON at line 1, column 15"),
        ('{"batch": ' + "1" * 5000 + "}", "a number with thousands of digits"),
        ("[" * 100_000, "too many nested brackets"),
        ('{"description": ' + "[" * 300 + "]" * 300 + "}", "recursion limit exceeded"),
        (r'{"description": "\ud800"}', "unexpected end of hex escape"),
        ('{"batch": 64, "loss": "hinge", "batch": 32}', "batch appears twice; delete one of the two"),
        ('{"generator": {"width": 8, "width": 8}}', "generator.width appears twice"),
        ('{"a": [{"b\\n": 1, "b\\n": 2}]}', "a.'0'.'b\\n' appears twice"),
    ],
    ids=lambda text: text[:20],
)
def test_invalid_json_error_is_one_line_with_the_location(mistake, text, says):
    assert says in mistake(text)


def test_byte_order_mark_is_accepted(write):
    assert read_definition(write(codecs.BOM_UTF8 + b'{"batch": 32}')).batch == 32


@pytest.mark.parametrize("content", ["{}".encode("utf-16"), b'{"description": "\xff"}'])
def test_other_encoding_error_says_to_save_as_utf_8(mistake, content):
    assert "save it as UTF-8" in mistake(content)


def test_long_value_is_cut_in_messages(mistake):
    assert len(mistake(json.dumps({"batch": "x" * 10_000}))) < 200
