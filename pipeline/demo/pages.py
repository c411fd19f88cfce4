"""The HTML pages and the robots.txt of the demo site."""

from html import escape

from pipeline.demo.catalogue import Entry, entries

PER_PAGE = 30
INDEX = "/index.html"
DRAFTS = "/drafts/index.html"
SKETCH = "/drafts/sketch.jpg"
ROBOTS = f"User-agent: *\nDisallow: {DRAFTS.rpartition('/')[0]}/\n"

# Titles of pictures, on target or not
_WORDS = (
    "toadstool",
    "red toadstool",
    "mushroom drawing",
    "toadstool in the wood",
    "fly agaric",
    "fairy-tale mushroom",
)
_PEOPLE = ("aino", "bashir", "chen")
_FEW = 12  # pictures on pages other than galleries
_LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"


def pages(pictures: int) -> dict[str, str]:
    """Path and HTML of every page of a site with this many pictures.

    Galleries show each picture once, in the order of the catalogue; other pages show some of them again.
    """
    shown = entries(pictures)
    galleries = [shown[start : start + PER_PAGE] for start in range(0, len(shown), PER_PAGE)]
    links = [(_gallery(number), f"Page {number}") for number in range(1, len(galleries) + 1)]
    people = [(f"/by/{name}.html", f"Sent in by {name.title()}") for name in _PEOPLE]
    rest = [("/gallery/old.html", "Old pages"), (DRAFTS, "Drafts")]
    made = {INDEX: _page("Toadstools", [*links, *people, *rest], shown[:_FEW])}
    for index, gallery in enumerate(galleries):
        around = [(INDEX, "Index"), *links[max(0, index - 1) : index], *links[index + 1 : index + 2]]
        made[links[index][0]] = _page(f"Toadstools, page {index + 1}", around, gallery)
    for index, (path, title) in enumerate(people):
        made[path] = _page(title, [(INDEX, "Index"), *links[:1]], shown[index :: len(people)][-_FEW:])
    made[DRAFTS] = _page("Drafts", [(INDEX, "Index")], [], f'<img src="{SKETCH}" alt="toadstool, not finished">')
    return made


def _gallery(number: int) -> str:
    return f"/gallery/page-{number:02d}.html"


def _page(title: str, links: list[tuple[str, str]], shown: list[Entry], extra: str = "") -> str:
    navigation = " ".join(f'<a href="{path}">{escape(text)}</a>' for path, text in links)
    figures = "\n".join(_figure(entry) for entry in shown)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<meta name="author" content="the embedded subject of ganmill">
<style>img {{ height: 160px; margin: 4px }}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<nav>{navigation}</nav>
<main>
{figures}{extra}
</main>
<footer>Drawn by a program. <a rel="license" href="{_LICENCE}">CC0 1.0</a>: do with them what you like.</footer>
</body>
</html>
"""


def _figure(entry: Entry) -> str:
    words = _WORDS[entry.number * 7 % 11 % len(_WORDS)]
    return f'<a href="{entry.path}"><img src="{entry.path}" alt="{words}" title="{words} {entry.number}"></a>'
