"""The page to make a dataset, and the page to add pictures to one; both send what they gather to the REST interface."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from pipeline.text import counted
from pipeline.web.datasets.added_pictures import count_uploads
from pipeline.web.datasets.new_dataset import count_files, folder_problem, name_problem
from pipeline.web.rendering import html
from pipeline.web.security import is_loopback
from pipeline.web.setting_fields import setting_field, setting_groups
from pipeline.web.studio import Studio

USEFUL = ("normalize.size", "download.limit", "filter.method", "gan.definition")
ASKED = frozenset({*USEFUL, *(f"download.{name}" for name in ("query", "sources", "site", "urls", "folder"))})
MOST_COUNTED = 20_000  # files of a folder


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the pages to make and to fill a dataset to `app`."""
    router = APIRouter(include_in_schema=False)
    local = is_loopback(studio.access_rules.host)

    @router.get("/new")
    def page() -> HTMLResponse:
        asked = {name: setting_field(f"download.{name}") for name in ("query", "sources", "site", "urls", "folder")}
        useful = [setting_field(name) for name in USEFUL]
        return html("new", asked=asked, useful=useful, groups=setting_groups(without=ASKED), local=local, tab="/")

    @router.get("/new/name")
    def name(name: Annotated[str, Query(max_length=300)] = "") -> dict[str, str]:
        return {"problem": name_problem(name, None) or name_problem(name, studio.site.paths(name))}

    @router.get("/new/folder")
    def folder(path: Annotated[str, Query(max_length=4000)] = "") -> dict[str, str]:
        if not local:
            raise HTTPException(403, "a folder can be named only if the server listens on this machine alone")
        return _folder(path)

    @router.get("/d/{dataset}/pictures/add")
    def more(dataset: str) -> HTMLResponse:
        return html("add_pictures", dataset=dataset, tab="", uploads=count_uploads(studio.paths(dataset)))

    app.include_router(router)


def _folder(path: str) -> dict[str, Any]:
    try:
        if problem := folder_problem(path):
            return {"problem": problem, "note": ""}
        count = count_files(path, MOST_COUNTED)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~nobody has no home
        return {"problem": f"folder: {error}", "note": ""}
    return {"problem": "", "note": counted(count, "file") + (" or more" if count == MOST_COUNTED else "")}
