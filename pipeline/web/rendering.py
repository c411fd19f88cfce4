"""Fill the templates of the pages. Everything that a template shows is escaped."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pipeline.report.glossary import GLOSSARY
from pipeline.run_record import duration

# The pages of a dataset: the last part of the address, and the name of the tab
DATASET_TABS = {
    "": "Overview",
    "label": "Label",
    "filter": "Filter",
    "gallery": "Gallery",
    "samples": "Samples",
    "runs": "Runs",
    "settings": "Settings",
}
SITE_TABS = {
    "/": "Datasets",
    "/definitions": "Definitions",
    "/styles": "Styles",
    "/jobs": "Jobs",
    "/races": "Races",
    "/api/docs": "API",
}


STATIC = Path(__file__).parent / "static"


def dataset_url(dataset: str, tab: str = "") -> str:
    """The address of a page of `dataset`, below the server's root."""
    return f"/d/{quote(dataset, safe='')}/{tab}"


def dataset_api(dataset: str) -> str:
    """The address of `dataset` in the REST interface."""
    return f"/api/v1/datasets/{quote(dataset, safe='')}"


TEMPLATES = Environment(
    loader=PackageLoader("pipeline.web"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["duration"] = duration
TEMPLATES.globals.update(DATASET_TABS=DATASET_TABS, SITE_TABS=SITE_TABS, GLOSSARY=GLOSSARY, dataset_url=dataset_url)


def html(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of the template `name`. Its frame reads two of the values.

    `dataset` is whose page it is, none for a page of the site; `tab` is the key of the page in `DATASET_TABS` or
    `SITE_TABS`.
    """
    values = {"dataset": None, "tab": None, **values}
    return HTMLResponse(TEMPLATES.get_template(f"{name}.html.jinja").render(**values), status)
