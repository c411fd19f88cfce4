"""The report of the last run, and of each training, as its stage wrote it; and the whole of it as a zip."""

from pathlib import PurePosixPath
from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from pipeline.report.report_page import page_script
from pipeline.store.artifacts import Artifact
from pipeline.web.rendering import dataset_url
from pipeline.web.studio import Studio
from pipeline.web.trainings.trainings_view import TrainingsView
from pipeline.web.zip_stream import Entry, zip_stream

INDEX = "index.html"
TYPES = {
    ".html": "text/html",
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
# The report brings its style with it; its texts were escaped when it was written, and only our own script runs
POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline';"
    f" script-src {page_script().source}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the reports to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/report")
    def moved(dataset: str) -> RedirectResponse:
        """The report's own links begin at its folder."""
        studio.paths(dataset)
        return RedirectResponse(dataset_url(dataset, "report/"))

    @router.get("/report.zip")
    def whole(dataset: str) -> StreamingResponse:
        return _zip(dataset, studio.paths(dataset).report.latest())

    @router.get("/report/{name:path}")
    def last(dataset: str, name: str) -> Response:
        return _file(studio.paths(dataset).report.latest(), name or INDEX)

    @router.get("/trainings/{key}/report/{name:path}")
    def report(dataset: str, key: str, name: str) -> Response:
        return _file(TrainingsView(studio.paths(dataset)).find(key).files.report, name or INDEX)

    app.include_router(router)


def _file(artifact: Artifact | None, name: str) -> Response:
    """The file `name` of a report, if it is a page, a picture or a film that its manifest lists; 404 otherwise."""
    if artifact is None or not _is_shown(artifact, name):
        raise HTTPException(404, "there is no such file of a report; it may have been deleted, or no run has made one")
    headers = {"content-security-policy": POLICY, "cache-control": "no-cache"}
    return FileResponse(artifact.folder / name, media_type=TYPES[PurePosixPath(name).suffix], headers=headers)


def _is_shown(artifact: Artifact, name: str) -> bool:
    return name in artifact.manifest.files and PurePosixPath(name).suffix in TYPES and ".." not in name


def _zip(dataset: str, artifact: Artifact | None) -> StreamingResponse:
    """All files of a report that are shown, in one folder."""
    if artifact is None:
        raise HTTPException(404, "there is no report yet; run all stages first")
    names = [name for name in artifact.manifest.files if _is_shown(artifact, name)]
    entries = [Entry(path=artifact.folder / name, name=f"report/{name}") for name in names]
    named = f"attachment; filename=\"report.zip\"; filename*=UTF-8''{quote(f'{dataset}-report.zip', safe='')}"
    return StreamingResponse(zip_stream(entries), media_type="application/zip", headers={"content-disposition": named})
