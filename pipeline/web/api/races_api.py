"""Races over REST: make one, enter trainings or pictures, open and close its vote, ask for the results."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from pipeline.web.bodies import StrictBody, documented
from pipeline.web.races.race import Entry, Race, Rule, luck, problems
from pipeline.web.races.race_desk import MAX_NAME, RaceDesk
from pipeline.web.races.tiles import MAX_UPLOAD_BYTES
from pipeline.web.security import is_upload
from pipeline.web.studio import Studio

RaceId = Annotated[str, Path(max_length=100)]  # of a race, or of an entry of one
FORM_BYTES = 1 << 16  # of a form beside its file


class RuleBody(StrictBody):
    """What every entry must keep to."""

    size: int = Field(ge=8, le=1024)
    dataset: str | None = Field(None, max_length=200)
    minutes: float | None = Field(None, gt=0, le=100_000)
    epochs: int | None = Field(None, ge=1, le=10**9)


class RaceBody(StrictBody):
    """A new race. `ballot` one: voters choose a tile; ranking: they put tiles in order."""

    title: str = Field(min_length=1, max_length=MAX_NAME)
    rule: RuleBody
    ballot: Literal["one", "ranking"] = "one"


class TrainingBody(StrictBody):
    """A training that enters: its dataset, and its content key or the first twelve digits of that."""

    dataset: str = Field(max_length=200)
    training: str = Field(pattern="^[0-9a-f]{12,64}$")


class StateBody(StrictBody):
    """The state that a race is to have, or whether it is put away; at least one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    state: Literal["preparing", "open", "closed"] | None = None
    archived: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "StateBody":
        if self.state is None and self.archived is None:
            raise ValueError("say which state the race is to have, or whether it is archived")
        return self


class RaceAnswer(BaseModel):
    """A race; `voters` is how many have voted, `unreadable` how many lines of its votes cannot be read and so count for
    nobody. There are no counts before it is closed."""

    id: str
    title: str
    created: str
    state: str
    ballot: str
    seed: int
    rule: dict[str, Any]
    link: str
    voters: int
    unreadable: int
    archived: bool
    obstacle: str
    entries: list[dict[str, Any]]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the resource of races to `app`."""
    router = APIRouter(prefix="/api/v1/races", tags=["races"])
    desk = studio.races
    _add_reading(router, desk)
    _add_changing(router, desk)
    _add_entries(router, desk)
    app.include_router(router)


def found(desk: RaceDesk, race_id: str) -> Race:
    """The race with this id; status 404 if there is none."""
    if (race := desk.store.find(race_id)) is None:
        raise HTTPException(404, "there is no such race")
    return race


def race_row(desk: RaceDesk, race: Race) -> dict[str, Any]:
    """What a host sees of a race."""
    votes = desk.votes(race)
    return {
        **{name: getattr(race, name) for name in ("id", "title", "created", "state", "ballot", "seed", "archived")},
        "rule": vars(race.rule),
        "link": f"/vote/{race.token}",
        "voters": len(votes.choices),
        "unreadable": votes.unreadable,
        "obstacle": race.obstacle,
        "entries": [entry_row(race, entry) for entry in race.entries],
    }


def entry_row(race: Race, entry: Entry) -> dict[str, Any]:
    """What a host sees of an entry, and everybody after the vote."""
    facts = entry.facts
    return {
        **{name: getattr(entry, name) for name in ("id", "name", "tile", "error", "verified")},
        "problems": problems(entry, race.rule),
        "facts": {**vars(facts), "seeds": [*facts.seeds]} if facts else None,
        "luck": luck(facts) if facts else "",
    }


def result_rows(desk: RaceDesk, race: Race) -> list[dict[str, Any]]:
    """The entries with their scores, the best first; raises `UserError` until the race is closed."""
    entries = {entry.id: entry for entry in race.entries}
    return [{**entry_row(race, entries[each.id]), **vars(each)} for each in desk.results(race)]


def _add_reading(router: APIRouter, desk: RaceDesk) -> None:
    @router.get("", response_model=list[RaceAnswer])
    def races() -> list[dict[str, Any]]:
        """All races, the newest first."""
        return [race_row(desk, race) for race in desk.store.all()]

    @router.get("/{race_id}", response_model=RaceAnswer, responses=documented(404))
    def race(race_id: RaceId) -> dict[str, Any]:
        """A race with its entries; asks for tiles that are not drawn yet."""
        shown = found(desk, race_id)
        desk.draw_missing(shown)
        return race_row(desk, shown)

    @router.get("/{race_id}/results", responses=documented(404, 409))
    def results(race_id: RaceId) -> list[dict[str, Any]]:
        """The entries of a closed race with their votes, the best first."""
        return result_rows(desk, found(desk, race_id))

    @router.get("/{race_id}/entries/{entry_id}/tile.png", response_class=Response, responses=documented(404))
    def tile(race_id: RaceId, entry_id: RaceId) -> Response:
        """The tile of an entry: 10 times 10 samples."""
        race = found(desk, race_id)
        if (entry := race.entry(entry_id)) is None:
            raise HTTPException(404, "there is no such entry")
        return tile_response(desk, race, entry.id)


def tile_response(desk: RaceDesk, race: Race, entry_id: str) -> Response:
    """The PNG of an entry's tile; nothing in the headers tells when it was made or what it is."""
    try:
        return Response(desk.store.tile(race.id, entry_id).read_bytes(), media_type="image/png")
    except OSError:
        raise HTTPException(404, "this tile is not drawn yet") from None


def _add_changing(router: APIRouter, desk: RaceDesk) -> None:
    @router.post("", status_code=201, response_model=RaceAnswer, responses=documented(409, 507))
    def create(body: RaceBody) -> dict[str, Any]:
        """Make a race; its seed is drawn now, so that nobody can have chosen samples by it."""
        return race_row(desk, desk.create(title=body.title, rule=Rule(**body.rule.model_dump()), ballot=body.ballot))

    @router.patch("/{race_id}", response_model=RaceAnswer, responses=documented(404, 409))
    def change(race_id: RaceId, body: StateBody) -> dict[str, Any]:
        """Open the vote, close it, go back to the entries while nobody has voted, or archive the race."""
        race = found(desk, race_id)
        moves = {"open": desk.open, "closed": desk.close, "preparing": desk.prepare_again}
        if body.state and body.state != race.state:
            race = moves[body.state](race_id)
        if body.archived is not None:
            race = desk.archive(race_id, body.archived)
        return race_row(desk, race)


def _add_entries(router: APIRouter, desk: RaceDesk) -> None:
    content = {"application/json": {"schema": TrainingBody.model_json_schema()}}
    upload = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "file": {"type": "string", "format": "binary"}},
    }
    body = {"requestBody": {"required": True, "content": {**content, "multipart/form-data": {"schema": upload}}}}

    @router.post(
        "/{race_id}/entries", status_code=201, openapi_extra=body, responses=documented(400, 404, 409, 413, 422, 507)
    )
    async def enter(race_id: RaceId, request: Request) -> dict[str, Any]:
        """Enter a training, whose tile is drawn in the background, or a picture, which is marked as not verified."""
        race = found(desk, race_id)
        if is_upload(request.scope["path"], request.headers):
            name, data = await _uploaded(request)
            entry = await run_in_threadpool(desk.upload, race_id, name, data)
        else:
            try:
                asked = TrainingBody.model_validate_json(await request.body())
            except ValidationError as error:
                first = error.errors()[0]
                raise HTTPException(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
            entry = await run_in_threadpool(desk.enter, race_id, asked.dataset, asked.training)
        return entry_row(race, entry)

    @router.delete("/{race_id}/entries/{entry_id}", status_code=204, responses=documented(404, 409))
    def remove(race_id: RaceId, entry_id: RaceId) -> None:
        """Take an entry out of a race that is not open yet."""
        if found(desk, race_id).entry(entry_id) is None:
            raise HTTPException(404, "there is no such entry")
        desk.remove(race_id, entry_id)

    @router.post("/{race_id}/draw", response_model=RaceAnswer, responses=documented(404))
    def draw(race_id: RaceId) -> dict[str, Any]:
        """Draw the tiles that could not be drawn; the seed stays, so nothing can be picked by trying again."""
        race = found(desk, race_id)
        desk.draw_missing(race, failed=True)
        return race_row(desk, race)


async def _uploaded(request: Request) -> tuple[str, bytes]:
    """Name and content of the uploaded picture; nothing is read of a request that is too long."""
    if int(request.headers.get("content-length", "0")) > MAX_UPLOAD_BYTES + FORM_BYTES:
        raise HTTPException(413, f"a picture may have {MAX_UPLOAD_BYTES >> 20} MiB at most")
    async with request.form(max_files=1, max_fields=4, max_part_size=FORM_BYTES) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "file: a form field with a PNG or JPEG picture is missing")
        return str(form.get("name") or file.filename or ""), await file.read()
