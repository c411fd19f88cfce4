"""The README and the pages in docs/ say what the code does today."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pipeline.options import STAGE_OPTIONS
from tasks.cli import build_parser
from tasks.nightly.night_options import NightlyOptions

REPOSITORY = Path(__file__).parent.parent
README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
FOLDERS = [REPOSITORY / folder / "README.md" for folder in ("data", "models", "generated", "benchmarks")]
TROUBLE = re.compile(r"^\| message \| what to do \|\n\|[-|]+\|\n((?:\|.*\n)+)", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES + FOLDERS, ids=lambda page: str(page.relative_to(REPOSITORY)))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@each_page
def test_every_setting_that_a_page_names_exists(page):
    if page.stem == "notebooks":
        return  # there `gan` is a Dcgan
    known = {name: set(options.model_fields) for name, options in (*STAGE_OPTIONS.items(), ("nightly", NightlyOptions))}
    named = re.findall(rf"`({'|'.join(known)})\.([a-z_]+)\b[^`/]*`", text_of(page))
    assert [(stage, name) for stage, name in named if name not in known[stage]] == []


@each_page
def test_every_flag_that_a_page_names_exists(page):
    parser, parsers = build_parser()
    known = {flag for each in [parser, *parsers.values()] for flag in each.flags()}
    known |= {"--options", "--module", "--local-scheduler"}  # luigi's
    known |= {"--now"}  # systemctl's
    known |= {"--detach", "--entrypoint", "--file", "--rm"}  # docker's
    known |= {"--days-forward", "--of", "--reverse", "--start", "--stop"}  # those of RangeDaily
    known |= {"--editable", "--no-build-isolation", "--no-deps", "--require-hashes"}  # pip's
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text_of(page))) <= known


@each_page
def test_every_command_that_a_page_names_exists(page):
    _, parsers = build_parser()
    assert set(re.findall(r"python -m tasks ([a-z]+)", text_of(page))) <= parsers.keys()


@each_page
def test_every_make_target_that_a_page_names_exists(page):
    makefile = text_of(REPOSITORY / "Makefile")
    for target in set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)\b", text_of(page), re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@each_page
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def headings(page: Path) -> set[str]:
    """The names by which GitHub links the headings of a page."""
    found = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@cache
def texts_of_the_code() -> str:
    """Every text in the code, a line each, with … for what is filled in; scripts of the label page as they are."""
    folders = (REPOSITORY / "pipeline", REPOSITORY / "tasks")
    found = [text_of(path) for path in (REPOSITORY / "pipeline" / "web" / "static").rglob("*.js")]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        nodes = [*ast.walk(ast.parse(text_of(path)))]
        docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
    return "\n".join(found)


def messages() -> list[tuple[Path, str]]:
    """What the tables of messages quote, each with its page."""
    tables = [(page, table) for page in PAGES for table in TROUBLE.findall(text_of(page))]
    cells = [(page, row.split("|")[1]) for page, table in tables for row in table.splitlines()]
    return [(page, quoted) for page, cell in cells for quoted in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(("page", "message"), messages(), ids=lambda value: getattr(value, "stem", value))
def test_every_message_that_a_page_quotes_is_in_the_code(page, message):
    assert message in texts_of_the_code()


def test_the_readme_has_the_ten_commonest_errors():
    (table,) = TROUBLE.findall(text_of(README))
    assert len(table.splitlines()) == 10


def test_the_readme_can_be_read_in_five_minutes():
    assert 120 <= len(text_of(README).splitlines()) <= 150


def test_every_folder_in_the_map_of_the_readme_exists():
    (block,) = re.findall(r"## Map of the repository\n\n```\n(.+?)```", text_of(README), re.DOTALL)
    named = re.findall(r"(?:^|  )((?:\w+/)+)", block, re.MULTILINE)
    assert "pipeline/crawl/" in named
    assert [name for name in named if not (REPOSITORY / name).is_dir()] == []


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_the_readme_names_every_page(page):
    assert page.stem in text_of(README)


@pytest.mark.parametrize("word", ["GAN", "KID", "latent"])
def test_the_readme_explains_the_words_of_the_field(word):
    assert re.search(rf"\*\*{word}\*\*.* (is|measures) ", text_of(README))


def scripts() -> list[str]:
    """The benchmarks that a person calls: those that say how at their top."""
    return [
        path.name
        for path in sorted((REPOSITORY / "benchmarks").glob("*.py"))
        if re.search(rf"python benchmarks/{path.name}", ast.get_docstring(ast.parse(text_of(path))) or "")
    ]


@pytest.mark.parametrize("script", scripts())
def test_every_benchmark_has_its_place_in_the_page(script):
    assert f"`{script}" in text_of(REPOSITORY / "docs" / "benchmarks.md")


def test_every_figure_of_the_page_is_of_a_benchmark_that_exists():
    named = re.findall(r"`(\w+\.py)\b", text_of(REPOSITORY / "docs" / "benchmarks.md"))
    assert named
    assert [name for name in named if not (REPOSITORY / "benchmarks" / name).exists()] == []


@each_page
def test_every_table_of_a_page_has_a_head(page):
    tables = re.findall(r"(?:^\|.*\n)+", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL), re.MULTILINE)
    assert [table for table in tables if not re.match(r"\|.*\n\|[-:| ]+\|\n", table)] == []
