"""The README says what the code does today."""

import re
from pathlib import Path

from tasks.cli import build_parser

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_flag_and_command_that_the_readme_names_is_there():
    parser, parsers = build_parser()
    known = {flag for each in [parser, *parsers.values()] for flag in each.flags()}
    known |= {"--options", "--module", "--local-scheduler"}  # luigi's
    known |= {"--now"}  # systemctl's
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) <= known


def test_every_make_target_that_the_readme_names_is_there():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)\b", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_path_that_the_readme_links_is_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / path).exists(), path
