"""The page of the filter: the histogram of scores, a threshold to drag, and what each threshold keeps and loses."""

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse
from pydantic import Field

from pipeline.errors import DamagedState, UserError
from pipeline.labels.snapshot import ENOUGH_TO_BEGIN
from pipeline.web.bodies import StrictBody
from pipeline.web.labelling.filter_figures import FIELDS, SIDE_TILES, squares_near, stage_row
from pipeline.web.labelling.histogram import histogram
from pipeline.web.labelling.picture_index import PictureIndex
from pipeline.web.rendering import html
from pipeline.web.settings_process import SettingsProcess
from pipeline.web.studio import Studio

SETTINGS = ("filter.threshold", "filter.precision", "filter.unsure", "filter.method", "classifier.backbone")
STEP = 0.005  # as in pipeline/filter/threshold.py, which loads scikit-learn; a test compares them

Band = Annotated[float, Query(ge=0, le=0.4)]
Precision = Annotated[float, Query(ge=0.5, le=1)]


class SettingsBody(StrictBody):
    """Settings to save for the dataset, as texts by name."""

    settings: dict[str, Annotated[str, Field(max_length=4000)]] = Field(min_length=1, max_length=len(SETTINGS))


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the page of the filter to `app`."""
    router = APIRouter(prefix="/d/{dataset}/filter", include_in_schema=False)

    @router.get("")
    def page(dataset: str) -> HTMLResponse:
        return html("filter", dataset=dataset, tab="filter", **_values(studio.view(dataset).index()))

    _add_figures(router, studio)
    _add_settings(router, studio)
    app.include_router(router)


def _values(index: PictureIndex) -> dict[str, Any]:
    """What the template shows; without a threshold only why there is none."""
    summary = index.filter.manifest.summary if index.filter else {}
    classifier = index.classifier.manifest.summary if index.classifier else {}
    values = {
        "problem": index.problem,
        "squares": len(index.pictures),
        "filtered": index.filter is not None,
        "enough": ENOUGH_TO_BEGIN,
        "row": None,
        "tiles": SIDE_TILES,
        "step": STEP,
        "backbone": str(classifier.get("backbone") or "none"),
        "labels": {label: classifier.get(f"labels_{label}", 0) for label in ("on", "off")},
        "notice": str(summary.get("notice") or ""),
    }
    if index.filter is None or index.threshold is None:
        return values
    options = index.filter.manifest.options
    try:
        row = stage_row(index)
    except (KeyError, TypeError, ValueError):  # a filter of an earlier version with another summary
        return values | {"problem": "the filter is of an earlier version; run it again"}
    return values | {
        "row": row,
        "row_json": json.dumps(asdict(row)),
        "histogram": histogram(index.pictures),
        "automatic": options.get("threshold") is None,
        "target": options.get("precision", 0.95),
        "band": options.get("unsure", 0.05),
    }


def _add_figures(router: APIRouter, studio: Studio) -> None:
    @router.get("/table")
    def table(dataset: str, unsure: Band = 0.05, precision: Precision = 0.95) -> dict[str, Any]:
        dataset_view = studio.view(dataset)
        return dataset_view.figures.table(dataset_view.index(), band=unsure, precision=precision)

    @router.get("/squares")
    def squares(dataset: str, unsure: Band = 0.05) -> dict[str, Any]:
        index = studio.view(dataset).index()
        return {"fields": FIELDS, "squares": squares_near(index, unsure, STEP)}


def _add_settings(router: APIRouter, studio: Studio) -> None:
    @router.get("/settings")
    def settings(dataset: str) -> dict[str, Any]:
        return _settings(_process(studio, dataset).described())

    @router.post("/settings")
    def save(dataset: str, body: SettingsBody) -> dict[str, Any]:
        if unknown := sorted(set(body.settings) - set(SETTINGS)):
            raise UserError(f"{unknown[0]} is no setting of this page; it has {', '.join(SETTINGS)}")
        return _settings(_process(studio, dataset).remember(body.settings))


def _process(studio: Studio, dataset: str) -> SettingsProcess:
    studio.paths(dataset)  # status 404 for unknown names
    return SettingsProcess(command=studio.site.command, dataset=dataset)


def _settings(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The settings of this page by name, and the backbones to choose from."""
    from pipeline.filter.backbone_choices import backbone_choices

    found = {row["name"]: row for row in rows if row.get("name") in SETTINGS}
    if missing := [name for name in SETTINGS if name not in found]:
        raise DamagedState(f"the list of settings has no {missing[0]}; is another version installed?")
    choices = backbone_choices(str(found["classifier.backbone"]["value"]))
    return {"settings": found, "backbones": [asdict(choice) for choice in choices]}
