"""The words of the page's JavaScript are those of the commands."""

import re
from pathlib import Path

from pipeline.labels.log import LABEL_NAMES
from pipeline.web import server

STATIC = Path(server.__file__).parent / "static"


def test_label_names_of_the_page_are_those_of_the_commands():
    (names,) = re.findall(
        r"^export const LABEL_NAMES = \{ (.*) \};$", (STATIC / "label" / "texts.js").read_text(), re.M
    )
    assert dict(re.findall(r'(\w+): "([^"]*)"', names)) == LABEL_NAMES


def test_label_names_of_the_page_are_written_once():
    scripts = {path.name: path.read_text() for path in STATIC.rglob("*.js")}
    assert [name for name, text in scripts.items() if LABEL_NAMES["on"] in re.findall(r'"(.*?)"', text)] == ["texts.js"]
