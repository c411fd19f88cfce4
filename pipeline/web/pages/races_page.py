"""The pages of a host: all races, and one race with its entries, its link and its results."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.api.races_api import found, race_row, result_rows
from pipeline.web.races.candidates import candidates, newest_sheets
from pipeline.web.races.race import CLOSED
from pipeline.web.rendering import html
from pipeline.web.studio import Studio


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the pages of races to `app`."""
    router, desk = APIRouter(prefix="/races", include_in_schema=False), studio.races

    @router.get("")
    def races() -> HTMLResponse:
        return html("races", tab="/races", races=desk.store.all(), damaged=desk.store.damaged())

    @router.get("/{race_id}")
    def race(race_id: str, dataset: str = "") -> HTMLResponse:
        shown = found(desk, race_id)
        desk.draw_missing(shown)
        chosen = dataset or shown.rule.dataset or ""
        entrants = candidates(studio.paths(chosen)) if chosen else []
        results = result_rows(desk, shown) if shown.state == CLOSED else []
        return html(
            "race",
            tab="/races",
            race=race_row(desk, shown),
            results=results,
            chosen=chosen,
            datasets=studio.site.datasets(),
            entrants=entrants,
            sheets=newest_sheets(studio.paths(chosen)) if chosen else {},
        )

    app.include_router(router)
