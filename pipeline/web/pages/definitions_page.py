"""The pages of GAN definitions: the list with who uses each, and one with an editor."""

import json

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.api.definitions_api import known_definition
from pipeline.web.dataset_paths import DatasetPaths, Site
from pipeline.web.datasets.manifest_heads import latest_head
from pipeline.web.definitions import check_definition, is_built_in, list_definitions, text_of
from pipeline.web.rendering import html
from pipeline.web.studio import Studio

TAB = "/definitions"


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the pages of definitions to `app`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/definitions")
    def every() -> HTMLResponse:
        return html("definitions", definitions=list_definitions(), users=users(studio.site), tab=TAB)

    @router.get("/definitions/{name}")
    def one(name: str) -> HTMLResponse:
        text = text_of(known_definition(name))
        return html(
            "definition",
            definition=name,
            text=text,
            found=check_definition(text, name),
            built_in=is_built_in(name),
            used_by=users(studio.site).get(name, []),
            datasets=studio.site.datasets(),
            tab=TAB,
        )

    app.include_router(router)


def users(site: Site) -> dict[str, list[str]]:
    """The datasets that each definition is used by: in their last training, or for the next one."""
    found: dict[str, list[str]] = {}
    for dataset in site.datasets():
        for name in sorted(_used_by(site.paths(dataset))):
            found.setdefault(name, []).append(dataset)
    return found


def _used_by(paths: DatasetPaths) -> set[str]:
    head = latest_head(paths.gan)
    last = str(head.options.get("definition", "")) if head else ""
    try:
        memory = json.loads((paths.folder / "settings.json").read_text(encoding="utf-8"))
        chosen = str(memory["gan.definition"]["value"])
    except (OSError, ValueError, LookupError, TypeError):
        chosen = ""
    return {name for name in (last, chosen) if name}
