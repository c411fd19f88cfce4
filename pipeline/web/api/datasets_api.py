"""Datasets over REST: list, make, fill with pictures, archive, restore and delete.

Archiving and deleting are `python -m tasks datasets` processes. Uploads are multipart; their files are on the disk, not
in memory, when a route gets them.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from pipeline.errors import UserError
from pipeline.text import counted
from pipeline.web.api.settings_api import refuse_local_only
from pipeline.web.bodies import DatasetName, EmptyBody, documented
from pipeline.web.datasets.added_pictures import add_pictures
from pipeline.web.datasets.dataset_archives import ArchivedDataset, list_archives
from pipeline.web.datasets.dataset_cards import DatasetCard, State
from pipeline.web.datasets.new_dataset import InvalidDataset, NewDataset, make_dataset, name_problem
from pipeline.web.security import is_loopback
from pipeline.web.settings_process import SettingsProcess, ask_process
from pipeline.web.studio import Studio
from pipeline.web.uploads import PictureStore, UploadReport

MAX_FILES = 500  # of one request; a zip may have more. Each is an open file, and many systems allow a program 1,024
IN_MEMORY = 1 << 16  # bytes of an uploaded file; a larger one is on the disk. Starlette's 1 MiB would make 500 MB
DELETE_SECONDS = 600.0  # for a dataset of some hundred thousand files
MULTIPART = "multipart/form-data"


class DatasetList(BaseModel):
    """All datasets, the one that was run last first, and those that were archived."""

    datasets: list[DatasetCard]
    archived: list[ArchivedDataset]


class LeftOut(BaseModel):
    """A file that was not stored."""

    name: str
    reason: str


class Upload(BaseModel):
    """What became of uploaded files."""

    dataset: str
    page: str = Field(description="the address of the dataset's page")
    added: int = Field(description="pictures that were stored")
    same: int = Field(description="files whose content was there already")
    left_out: int = Field(description="files that are no pictures, or are too large")
    reasons: list[LeftOut] = Field(description="the first of those that were left out")
    note: str = Field(description="the same in words")


class Holdings(BaseModel):
    """What would be lost with a dataset."""

    name: str
    archive: str = Field(description="the name of its archive; empty if it is on the list")
    at_work: bool = Field(description="whether a run of it is at work")
    labels: int | None = Field(description="null if they cannot be read")
    pictures: int
    uploads: int
    trainings: int
    bytes: int
    text: str = Field(description="the same in words")


class Removal(BaseModel):
    """A dataset that was archived, restored or deleted."""

    name: str
    archive: str = Field(description="the name of its archive, before or after")


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the routes below /api/v1/datasets to `app`."""
    MultiPartParser.spool_max_size = IN_MEMORY
    router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])
    _add_reading(router, studio)
    _add_making(router, studio)
    _add_removing(router, studio)
    app.include_router(router)


def _add_reading(router: APIRouter, studio: Studio) -> None:
    @router.get("", responses=documented(422))
    def list_datasets(
        state: Annotated[State | None, Query(description="only datasets in this state")] = None,
    ) -> DatasetList:
        """List all datasets with the figures of their last run."""
        cards = [card for card in studio.cards.all(studio.site) if state in (None, card.state)]
        return DatasetList(datasets=cards, archived=list_archives(studio.site.data))

    @router.get("/{dataset}", responses=documented(404))
    def get_dataset(dataset: DatasetName) -> DatasetCard:
        """One dataset with the figures of its last run."""
        return studio.cards.card(studio.paths(dataset))

    @router.get("/{dataset}/holdings", responses=documented(404, 409))
    def get_holdings(dataset: DatasetName) -> Holdings:
        """What a dataset, or an archive by its name, has: what deleting it would lose. Reads the sizes of all files."""
        (found,) = _ask(studio, "list", _known(studio, dataset), expects=1)
        return Holdings.model_validate({**found, "text": holdings_words(found)})


def _add_making(router: APIRouter, studio: Studio) -> None:
    made = documented(400, 403, 409, 413, 415, 422, 507)

    @router.post("", status_code=201, responses=made, openapi_extra=_body(NewDataset))
    async def make(request: Request, response: Response) -> Upload:
        """Make a dataset from search words, a folder, uploaded pictures or zips, a site or a list of addresses.

        JSON, or multipart with the same fields as texts (`settings` as JSON) and files called `pictures`.
        """
        async with request.form(max_files=MAX_FILES) as form:
            wanted = _new_dataset(dict(_texts(form)) if _is_multipart(request) else await _json(request))
            report = await run_in_threadpool(_make, studio, wanted, partial(_fill, form))
        response.headers["location"] = f"/api/v1/datasets/{wanted.name}"
        return _upload(wanted.name, studio, report)

    @router.post(
        "/{dataset}/pictures", responses=documented(400, 404, 409, 413, 415, 422, 507), openapi_extra=_body(None)
    )
    async def add(dataset: DatasetName, request: Request) -> Upload:
        """Add pictures to a dataset: multipart with files called `pictures`, each a picture or a zip of pictures.

        The next run uses them.
        """
        paths = await run_in_threadpool(studio.paths, dataset)
        if not _is_multipart(request):
            raise HTTPException(415, f"expected files (content-type: {MULTIPART})")
        async with request.form(max_files=MAX_FILES) as form:
            if not _files(form):
                raise HTTPException(422, "pictures: the request has no file of this name")
            report = await run_in_threadpool(add_pictures, paths, _settings(studio, dataset), partial(_fill, form))
        return _upload(dataset, studio, report)


def _add_removing(router: APIRouter, studio: Studio) -> None:
    @router.delete("/{dataset}", responses=documented(404, 409, 422))
    def delete_dataset(
        dataset: DatasetName,
        permanently: Annotated[bool, Query(description="delete it for good; otherwise it is archived")] = False,
    ) -> Removal:
        """Archive a dataset, or delete a dataset or an archive (by its name) for good."""
        name = _known(studio, dataset, archives=permanently)
        words = ("delete", name, "--yes") if permanently else ("archive", name)
        found = _ask(studio, *words)
        studio.close(dataset)
        return Removal(name=found["name"], archive=found["archive"])

    @router.post("/{archive}/restore", responses=documented(400, 404, 409, 415, 422))
    def restore_dataset(archive: DatasetName, body: EmptyBody) -> Removal:
        """Put an archived dataset back on the list, by the name of its archive."""
        if archive not in [each.archive for each in list_archives(studio.site.data)]:
            raise HTTPException(404, "there is no such archive")
        return Removal(**_ask(studio, "restore", archive))


def holdings_words(found: dict[str, Any]) -> str:
    """What a dataset has in words, from what `datasets list --json` says of it."""
    labels = "labels that cannot be read" if found["labels"] is None else counted(found["labels"], "label")
    pictures = counted(max(found["pictures"], found["uploads"]), "picture")
    return f"{labels}, {pictures}, {counted(found['trainings'], 'training')}, {found['bytes'] / 1e9:.2f} GB on the disk"


def _known(studio: Studio, name: str, *, archives: bool = True) -> str:
    """`name` if it is a dataset or an archive; status 404 for any other name."""
    if archives and name in [each.archive for each in list_archives(studio.site.data)]:
        return name
    return studio.paths(name).dataset


def _ask(studio: Studio, *words: str, expects: int | None = None) -> Any:
    """What `python -m tasks datasets` answers."""
    answer = ask_process([*studio.site.command, "datasets", *words, "--json"], seconds=DELETE_SECONDS)
    if expects is not None and len(answer) != expects:
        raise UserError("the command printed something else than was asked for; is another version installed?")
    return answer


def _make(studio: Studio, wanted: NewDataset, fill: Callable[[PictureStore], None]) -> UploadReport:
    if wanted.source == "folder" and not is_loopback(studio.access_rules.host):
        raise HTTPException(403, "a folder can be named only if the server listens on this machine alone")
    refuse_local_only(studio, wanted.settings)
    if problem := name_problem(wanted.name, None):
        raise HTTPException(422, problem)
    paths = studio.site.paths(wanted.name)
    if problem := name_problem(wanted.name, paths):
        raise HTTPException(409, problem)
    try:
        return make_dataset(wanted, paths, _settings(studio, wanted.name), fill)
    except InvalidDataset as error:
        raise HTTPException(422, str(error)) from None


def _settings(studio: Studio, dataset: str) -> SettingsProcess:
    return SettingsProcess(command=studio.site.command, dataset=dataset)


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MULTIPART


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"the body is no JSON: {str(error)[:100]}") from None


def _new_dataset(values: Any) -> NewDataset:
    try:
        if isinstance(values, dict) and isinstance(values.get("settings"), str):
            values["settings"] = json.loads(values["settings"] or "{}")
        return NewDataset.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{where}: {first['msg']}".lstrip(": ")) from None
    except (ValueError, RecursionError):
        raise HTTPException(422, 'settings: expected JSON, for example {"normalize.size": "32"}') from None


def _texts(form: FormData) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _files(form: FormData) -> list[UploadFile]:
    found = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    if wrong := next((name for name, _ in found if name != "pictures"), None):
        raise HTTPException(422, f"{wrong[:50]}: files are called pictures")
    return [value for _, value in found]


def _fill(form: FormData, store: PictureStore) -> None:
    for file in _files(form):
        store.add(file.filename or "picture", file.file)


def _upload(dataset: str, studio: Studio, report: UploadReport) -> Upload:
    reasons = [LeftOut(name=name, reason=reason) for name, reason in report.reasons]
    page = studio.cards.card(studio.site.paths(dataset)).page
    parts = [f"{counted(report.added, 'picture')} stored"]
    parts += [f"{report.same} there already"] if report.same else []
    parts += [f"{report.left_out} left out ({reasons[0].name}: {reasons[0].reason})"] if reasons else []
    note = "; ".join(parts) + ("; the next run uses them" if report.added else "")
    counts = {"added": report.added, "same": report.same, "left_out": report.left_out}
    return Upload(dataset=dataset, page=page, reasons=reasons, note=note, **counts)


def _body(model: type[BaseModel] | None) -> dict[str, Any]:
    """The OpenAPI description of a body that is JSON or multipart; without `model` it is multipart alone."""
    binary = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": binary, "description": "pictures, or zips of them"}
    if model is None:
        parts: dict[str, Any] = {"type": "object", "properties": {"pictures": files}, "required": ["pictures"]}
        return {"requestBody": {"required": True, "content": {MULTIPART: {"schema": parts}}}}
    schema = model.model_json_schema()
    settings = {"type": "string", "description": "JSON, a text for each setting"}
    parts = {**schema, "properties": {**schema["properties"], "settings": settings, "pictures": files}}
    content = {MULTIPART: {"schema": parts}, "application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
