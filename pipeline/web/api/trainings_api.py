"""REST: the trainings of a dataset, their statistics, sample sheets, reals, films and generators."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from pipeline.web.bodies import DatasetName, documented
from pipeline.web.labelling.thumbnails import HEAD, raster_type
from pipeline.web.studio import Studio
from pipeline.web.trainings.history_bodies import StatsBody, TrainingDetail, TrainingList
from pipeline.web.trainings.trainings_view import FILMS, FoundTraining, TrainingsView

IMMUTABLE = "private, max-age=31536000, immutable"  # of an address that contains when the file was written
LARGEST = 64 << 20  # bytes of a picture; a sheet of 512 px squares has some 50 MB at most
Key = Annotated[str, Path(pattern="^[0-9a-f]{12}$", description="the first 12 hex digits of the content key")]
Version = Annotated[str, Query(alias="v", max_length=40, description="when the file was written, so that it is cached")]
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "the picture"}}
FILM: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in FILMS.values()}, "description": "the film"}
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "a file of Keras"}
}


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the trainings to the REST interface."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}/trainings", tags=["trainings"])
    _add_reading(router, studio)
    _add_files(router, studio)
    app.include_router(router)


def _add_reading(router: APIRouter, studio: Studio) -> None:
    @router.get("", responses=documented(404), summary="The trainings, the newest first")
    def trainings(dataset: DatasetName) -> TrainingList:
        """The trainings, the newest first."""
        view = TrainingsView(studio.paths(dataset))
        return TrainingList(trainings=[view.body(found) for found in view.all()])

    @router.get("/{key}", responses=documented(404, 422), summary="A training with its sheets, alarms and links")
    def training(dataset: DatasetName, key: Key) -> TrainingDetail:
        """A training with its sheets, alarms and links."""
        view = TrainingsView(studio.paths(dataset))
        return view.detail(view.find(key))

    @router.get("/{key}/stats", responses=documented(404, 422), summary="Its statistics, thinned for curves")
    def stats(dataset: DatasetName, key: Key) -> StatsBody:
        """Its statistics, thinned for curves."""
        course = _find(studio, dataset, key).course()
        return StatsBody(rows=list(course.rows), of=len(course.epochs), problem=course.problem)


def _add_files(router: APIRouter, studio: Studio) -> None:
    @router.get(
        "/{key}/sheets/{epoch}",
        responses=PNG | documented(404, 422),
        response_class=Response,
        summary="The sample sheet of an epoch",
    )
    def sheet(
        dataset: DatasetName, key: Key, epoch: Annotated[int, Path(ge=0, le=10**12)], version: Version = ""
    ) -> Response:
        """The sample sheet of an epoch."""
        path = _find(studio, dataset, key).sheets().get(epoch)
        return _picture(path, f"there is no sample sheet of epoch {epoch}", cached=bool(version))

    @router.get(
        "/{key}/reals",
        responses=PNG | documented(404, 422),
        response_class=Response,
        summary="A sheet of squares that it learns from",
    )
    def reals(dataset: DatasetName, key: Key) -> Response:
        """A sheet of squares that it learns from."""
        return _picture(_find(studio, dataset, key).file("reals.png"), "there is no sheet of reals", cached=False)

    @router.get(
        "/{key}/film",
        responses=FILM | documented(404, 422),
        response_class=Response,
        summary="The film of its sample sheets: a GIF for browsers, or a file",
    )
    def film(dataset: DatasetName, key: Key, format: Literal["gif", "mp4", "webm"] = "gif") -> Response:
        """The film of its sample sheets: a GIF for browsers, or a file."""
        found = _find(studio, dataset, key)
        name = f"{found.training.name}.{format}" if format == "mp4" else None  # browsers do not play its codec
        return _file(found.file(f"training.{format}"), FILMS[format], name, f"there is no film of format {format}")

    @router.get(
        "/{key}/generator",
        responses=FILE | documented(404, 422),
        response_class=Response,
        summary="The generator as a file of Keras",
    )
    def generator(dataset: DatasetName, key: Key) -> Response:
        """The generator as a file of Keras."""
        found = _find(studio, dataset, key)
        path, name = found.file("generator.keras"), f"{found.training.name}.keras"
        return _file(path, "application/octet-stream", name, "there is no generator yet, or it was deleted")


def _find(studio: Studio, dataset: str, key: str) -> FoundTraining:
    return TrainingsView(studio.paths(dataset)).find(key)


def _picture(path: FilePath | None, absent: str, *, cached: bool) -> Response:
    """The PNG file `path`; status 404 if it is not there, or is no PNG file."""
    data = _read(path) if path else b""
    if raster_type(data[:HEAD]) != "image/png":
        raise HTTPException(404, absent)
    return Response(data, media_type="image/png", headers={"cache-control": IMMUTABLE if cached else "no-cache"})


def _read(path: FilePath) -> bytes:
    """The content of a picture directly in its folder; empty if it is elsewhere or too large."""
    try:
        if path.resolve().parent != path.parent.resolve() or path.stat().st_size > LARGEST:
            return b""
        return path.read_bytes()
    except OSError:
        return b""


def _file(path: FilePath | None, kind: str, name: str | None, absent: str) -> Response:
    """The file `path`, as one to save if it has a `name`; status 404 if it is not there."""
    if path is None or path.resolve().parent != path.parent.resolve():
        raise HTTPException(404, absent)
    return FileResponse(path, media_type=kind, filename=name, headers={"cache-control": "no-cache"})
