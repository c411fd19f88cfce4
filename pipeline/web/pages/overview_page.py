"""The overview page of a dataset: its stages, the run that works, and the best pictures there are."""

import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.store.artifacts import SHORT, Artifact, ArtifactStore, load
from pipeline.store.digest import is_digest
from pipeline.web.chain import run_watch
from pipeline.web.chain.best_pictures import GRID, best_pictures
from pipeline.web.chain.chain_reader import ChainReader
from pipeline.web.chain.chain_state import ChainState
from pipeline.web.chain.last_change import last_changes
from pipeline.web.chain.plan_cache import STAGES
from pipeline.web.chain.stage_figures import kid_words
from pipeline.web.labelling.thumbnails import original
from pipeline.web.rendering import TEMPLATES, html
from pipeline.web.studio import Studio

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # its address contains a content key
STAGE_PAGES = {  # the page on which a person sees more of a stage
    "download": "label",
    "normalize": "label",
    "classifier": "label",
    "filter": "filter",
    "gan": "gallery",
    "generate": "samples",
    "report": "report/",
}
GENERATOR = "generator.keras"
FOLDER_NAME = re.compile(r"[0-9a-f]{12}(\.[0-9]{1,6})?")
KEY_START = re.compile(rf"[0-9a-f]{{{SHORT}}}")
MAX_EPOCH = 10**12
# The report's pages bring their own styles; nothing in them may run, load from elsewhere or be sent anywhere
REPORT_HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
REPORT_TYPES = {".html": "text/html; charset=utf-8", ".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4"}


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the overview page to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)
    _add_page(router, studio)
    _add_pictures(router, studio)
    _add_files(router, studio)
    app.include_router(router)


def _add_page(router: APIRouter, studio: Studio) -> None:
    @router.get("/")
    def overview(dataset: str) -> HTMLResponse:
        return html("overview", dataset=dataset, tab="", **_shown(studio.chain(dataset)))

    @router.get("/parts")
    def parts(dataset: str) -> HTMLResponse:
        values = _shown(studio.chain(dataset))
        return HTMLResponse(TEMPLATES.get_template("overview_parts.html.jinja").render(dataset=dataset, **values))


def _shown(chain: ChainReader) -> dict[str, Any]:
    """The values of the templates."""
    state, paths = chain.state(), chain.paths
    failed = state.run.state in ("failed", "ended")
    samples = paths.generate.latest()
    return {
        "state": state,
        "pages": STAGE_PAGES,
        "stages": STAGES,
        "best": best_pictures(paths, state.training),
        "samples": _samples(samples),
        "changes": last_changes(paths),
        "log": run_watch.log_tail(paths.runs, chain.record()) if failed else [],
        "model": _generator(paths.gan.latest()) is not None,
        "report": paths.report.latest() is not None,
        "working": state.run.state in ("running", "queued"),
        "training_now": _trains_now(state),
    }


def _trains_now(state: ChainState) -> bool:
    return state.run.state == "running" and state.run.stage == "gan" and state.training is not None


def _samples(made: Artifact | None) -> dict[str, str]:
    """The scores of the newest samples in words; empty without any."""
    summary = made.manifest.summary if made else {}
    if not kid_words(summary):
        return {}
    floor = summary.get("kid_floor")
    return {
        "kid": kid_words(summary),
        "extractor": str(summary.get("extractor")),
        "floor": f"{floor:.3f}" if isinstance(floor, float) else "",
        "meaning": compare_with_floor(summary),
    }


def _add_pictures(router: APIRouter, studio: Studio) -> None:
    @router.get("/shown/sheet/{key}/{epoch}.png")
    def sheet(dataset: str, key: str, epoch: int) -> Response:
        if not KEY_START.fullmatch(key) or not 0 <= epoch <= MAX_EPOCH:
            raise HTTPException(404, "there is no such sample sheet")
        folder = studio.paths(dataset).generated / "training" / key
        return _picture(folder / f"epoch-{epoch:04d}.png", {"cache-control": "private, no-cache"})

    @router.get("/shown/samples/{folder}.png")
    def samples(dataset: str, folder: str) -> Response:
        if not FOLDER_NAME.fullmatch(folder):
            raise HTTPException(404, "there are no such samples")
        return _picture(studio.paths(dataset).generate.root / folder / GRID, IMMUTABLE)

    @router.get("/found/{id}")
    def found(dataset: str, id: str) -> Response:
        paths = studio.paths(dataset)
        made = paths.download.latest()
        if is_digest(id) and (file := original(id, raw=paths.folder / "raw", download=made.folder if made else None)):
            return FileResponse(file[0], media_type=file[1], headers=IMMUTABLE)
        raise HTTPException(404, "there is no such picture, or it is of a type that browsers do not show")


def _picture(path: Path, headers: dict[str, str]) -> Response:
    if not path.is_file():
        raise HTTPException(404, "there is no such picture")
    return FileResponse(path, media_type="image/png", headers=headers)


def _add_files(router: APIRouter, studio: Studio) -> None:
    @router.get("/generator")
    def generator(dataset: str) -> Response:
        found = _generator(studio.paths(dataset).gan.latest())
        if found is None:
            raise HTTPException(404, "no generator is trained yet")
        name = re.sub(r"[^\w.-]+", "-", dataset, flags=re.ASCII)
        return FileResponse(found, media_type="application/octet-stream", filename=f"{name}-{GENERATOR}")

    @router.get("/report")
    def to_report(dataset: str) -> RedirectResponse:
        studio.paths(dataset)
        return RedirectResponse("report/")  # pictures of the report have addresses below this one

    @router.get("/report/")
    def report(dataset: str) -> Response:
        return _of_report(studio.paths(dataset).report, "index.html")

    @router.get("/report/{name}")
    def report_file(dataset: str, name: str) -> Response:
        return _of_report(studio.paths(dataset).report, name)


def _of_report(store: ArtifactStore, name: str) -> Response:
    """A file of the newest report, if its manifest names it."""
    made, kind = store.latest(), REPORT_TYPES.get(Path(name).suffix)
    if made is None:
        raise HTTPException(404, "there is no report yet; a run makes it")
    if kind is None or name not in made.manifest.files:
        raise HTTPException(404, "the report has no such file")
    return FileResponse(made.folder / name, media_type=kind, headers=REPORT_HEADERS | {"cache-control": "no-cache"})


def _generator(made: Artifact | None) -> Path | None:
    return made.folder / GENERATOR if made and GENERATOR in load(made.folder).manifest.files else None
