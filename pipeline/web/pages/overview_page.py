"""The overview page of a dataset: its stages, the run that works, and the best pictures there are."""

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from pipeline.options import STAGES
from pipeline.store.digest import is_digest
from pipeline.web.chain import run_watch
from pipeline.web.chain.best_pictures import GRID, best_pictures, sheet
from pipeline.web.chain.chain_reader import ChainReader
from pipeline.web.chain.chain_state import ChainState
from pipeline.web.chain.last_change import last_changes
from pipeline.web.charts import DrawnChart
from pipeline.web.labelling.thumbnails import original
from pipeline.web.rendering import TEMPLATES, html
from pipeline.web.studio import Studio
from pipeline.web.trainings.training_charts import training_charts
from pipeline.web.trainings.trainings_view import FoundTraining, TrainingsView, score_of

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # its address contains a content key
STAGE_PAGES = {  # the page on which a person sees more of a stage
    "download": "label",
    "normalize": "label",
    "classifier": "label",
    "filter": "filter",
    "gan": "gallery",
    "generate": "samples",
}
TERMS = {  # figures whose name the glossary explains
    ("filter", "precision"): "filter precision",
    ("filter", "recall"): "filter recall",
    ("generate", "KID of reals (floor)"): "floor",
    **{("generate", name): name for name in ("extractor", "precision", "recall", "density", "coverage", "seed")},
}
LINKS = {"report": "Report", "generator": "Download the generator", "film.gif": "Film of the training"}
CHARTS = ("kid", "losses")  # the curves that say most; the gallery has the others
FOLDER_NAME = re.compile(r"[0-9a-f]{12}(\.[0-9]{1,6})?")


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the overview page to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)
    _add_page(router, studio)
    _add_pictures(router, studio)
    app.include_router(router)


def _add_page(router: APIRouter, studio: Studio) -> None:
    @router.get("/")
    def overview(dataset: str) -> HTMLResponse:
        now = datetime.now(timezone.utc).isoformat()
        return html("overview", dataset=dataset, tab="", stages=STAGES, now=now, **_shown(studio.chain(dataset)))

    @router.get("/parts")
    def parts(dataset: str) -> HTMLResponse:
        values = _shown(studio.chain(dataset))
        return HTMLResponse(TEMPLATES.get_template("overview_parts.html.jinja").render(dataset=dataset, **values))


def _shown(chain: ChainReader) -> dict[str, Any]:
    """The values of the templates."""
    state, paths = chain.state(), chain.paths
    training = chain.live_training.find(state.training.key) if state.training else None
    samples = paths.generate.latest()
    return {
        "state": state,
        "pages": STAGE_PAGES,
        "terms": TERMS,
        "best": best_pictures(paths, state.training),
        "newest_sheet": sheet(state.training, paths),
        "score": score_of(samples) if samples else None,
        "changes": last_changes(paths),
        "log": run_watch.log_tail(paths.runs, chain.record()) if state.run.state in ("failed", "ended") else [],
        "links": _links(TrainingsView(paths), training) if training else {},
        "charts": _charts(training) if training else [],
        "working": state.run.state in ("running", "queued"),
        "training_now": _trains_now(state),
    }


def _trains_now(state: ChainState) -> bool:
    run, training = state.run, state.training
    return run.state == "running" and run.stage == "gan" and training is not None and training.key == run.stage_key


def _links(view: TrainingsView, training: FoundTraining) -> dict[str, str]:
    """The text and address of what there is of the training beside the pages."""
    found = view.detail(training).links
    return {text: found[name] for name, text in LINKS.items() if name in found}


def _charts(training: FoundTraining) -> list[DrawnChart]:
    drawn = training_charts(training.course(), "chart")
    return [chart for name in CHARTS for chart in drawn if chart.name.startswith(f"chart-{name}")]


def _add_pictures(router: APIRouter, studio: Studio) -> None:
    @router.get("/shown/samples/{folder}.png")
    def samples(dataset: str, folder: str) -> Response:
        if not FOLDER_NAME.fullmatch(folder):
            raise HTTPException(404, "there are no such samples")
        return _picture(studio.paths(dataset).generate.root / folder / GRID)

    @router.get("/found/{id}")
    def found(dataset: str, id: str) -> Response:
        paths = studio.paths(dataset)
        made = paths.download.latest()
        if is_digest(id) and (file := original(id, raw=paths.folder / "raw", download=made.folder if made else None)):
            return FileResponse(file[0], media_type=file[1], headers=IMMUTABLE)
        raise HTTPException(404, "there is no such picture, or it is of a type that browsers do not show")


def _picture(path: Path) -> Response:
    if not path.is_file():
        raise HTTPException(404, "there is no such picture")
    return FileResponse(path, media_type="image/png", headers=IMMUTABLE)
