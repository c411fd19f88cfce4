"""The page on which people vote, blind: the link of a race opens it, and nothing else."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from pipeline.web.api.races_api import result_rows, tile_response
from pipeline.web.bodies import StrictBody
from pipeline.web.connections import address_key
from pipeline.web.races import blind
from pipeline.web.races.race import CLOSED, MAX_ENTRIES, PREPARING, Race
from pipeline.web.races.race_desk import Ballot, RaceDesk
from pipeline.web.rendering import STATIC, html
from pipeline.web.studio import Studio

ASSETS = {"base.css": "text/css", "vote.css": "text/css", "icon.svg": "image/svg+xml"}
ASSETS |= dict.fromkeys(("vote.js", "http.js", "dom.js"), "text/javascript")


class VoteBody(StrictBody):
    """The tiles that a voter chose, by the voter's own ids, the best first."""

    choice: list[str] = Field(min_length=1, max_length=MAX_ENTRIES)


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the vote page to `app`."""
    router = APIRouter(prefix="/vote/{token}", include_in_schema=False)
    desk = studio.races

    def opened(token: str) -> Race:
        if (race := desk.store.by_token(token)) is None:
            raise HTTPException(404, "this link opens no vote; ask for a new one")
        return race

    @router.get("")
    def page(token: str) -> HTMLResponse:
        return html("vote", race=opened(token))

    @router.get("/static/{name}")
    def asset(token: str, name: str) -> Response:
        opened(token)
        if name not in ASSETS:
            raise HTTPException(404, "there is no such file")
        return FileResponse(STATIC / name, media_type=ASSETS[name], headers={"cache-control": "no-cache"})

    @router.get("/ballot")
    def ballot(token: str, request: Request) -> JSONResponse:
        race = opened(token)
        cookie = request.cookies.get(blind.COOKIE, "")
        voter = blind.voter_of(race, cookie)
        if voter is None:
            cookie = blind.new_cookie(race)
            voter = blind.voter_of(race, cookie) or ""
        answer = JSONResponse(_row(desk, desk.ballot(race, voter)))
        # Given to the script, not with the page: a browser that follows a link of another site sends no strict cookie
        answer.set_cookie(
            blind.COOKIE, cookie, max_age=90 * 86_400, httponly=True, samesite="strict", path=f"/vote/{race.token}"
        )
        return answer

    @router.post("/vote")
    def vote(token: str, body: VoteBody, request: Request) -> dict[str, Any]:
        race = opened(token)
        voter = blind.voter_of(race, request.cookies.get(blind.COOKIE, ""))
        if voter is None:
            raise HTTPException(409, "this browser keeps no cookies, so its vote cannot be changed; allow them, reload")
        address = address_key(request.client.host) if request.client else ""
        return _row(desk, desk.vote(race, voter, body.choice, address=address))

    @router.get("/tile/{tile_id}.png")
    def tile(token: str, tile_id: str, request: Request) -> Response:
        race = opened(token)
        voter = blind.voter_of(race, request.cookies.get(blind.COOKIE, ""))
        entry_id = blind.tiles(race, voter).get(tile_id) if voter and race.state != PREPARING else None
        if entry_id is None:
            raise HTTPException(404, "there is no such tile")
        return tile_response(desk, race, entry_id)

    app.include_router(router)


def _row(desk: RaceDesk, ballot: Ballot) -> dict[str, Any]:
    """The ballot for the voter's script: no names and no counts before the vote is closed."""
    race, by_entry = ballot.race, {entry: tile for tile, entry in ballot.tiles.items()}
    row = {
        "state": race.state,
        "kind": race.ballot,
        "tiles": [] if race.state == PREPARING else [*ballot.tiles],
        "choice": [*ballot.choice],
        "changes_left": ballot.changes_left,
    }
    if race.state == CLOSED:
        row["seed"], row["voters"] = race.seed, len(desk.votes(race).choices)
        row["results"] = [
            {**{name: each[name] for name in ("name", "place", "first", "points", "problems", "luck", "facts")}}
            | {"tile": by_entry[each["id"]]}
            for each in result_rows(desk, race)
        ]
    return row
