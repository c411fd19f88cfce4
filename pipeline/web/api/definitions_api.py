"""GAN definitions over REST: list, read, check, save."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from pipeline.gan.config.loading import definitions
from pipeline.option_types import nearest
from pipeline.web.bodies import StrictBody, documented
from pipeline.web.definitions import (
    DefinitionCheck,
    DefinitionSummary,
    check_definition,
    list_definitions,
    name_problem,
    save_definition,
    summary,
    text_of,
)
from pipeline.web.studio import Studio

DefinitionName = Annotated[str, Path(max_length=300, description="the name of its file, without .json")]


class DefinitionList(BaseModel):
    """All definitions."""

    definitions: list[DefinitionSummary]


class DefinitionText(DefinitionSummary):
    """One definition with its text."""

    text: str


class CheckBody(StrictBody):
    """A text to check."""

    text: str = Field(max_length=300_000, description="the JSON of a definition, ours or gan-toolkit's")
    name: str = Field("", max_length=100, description="what it would be called; messages name its file")


class SaveBody(StrictBody):
    """A definition to save."""

    text: str = Field(max_length=300_000)
    replace: bool = Field(False, description="whether to replace an own definition of this name")


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the routes of definitions to `app`."""
    router = APIRouter(prefix="/api/v1/definitions", tags=["definitions"])

    @router.get("")
    def list_all() -> DefinitionList:
        """List all definitions, those that are built in and your own."""
        return DefinitionList(definitions=list_definitions())

    @router.post("/check", responses=documented(400, 413, 415, 422))
    def check(body: CheckBody) -> DefinitionCheck:
        """Check a text as `models check` does; nothing is saved."""
        return check_definition(body.text, body.name)

    @router.get("/{name}", responses=documented(404, 409))
    def get(name: DefinitionName) -> DefinitionText:
        """One definition with its text."""
        known_definition(name)
        return DefinitionText(text=text_of(name), **summary(name, definitions()[name]).model_dump())

    @router.put("/{name}", responses=documented(400, 409, 413, 415, 422, 507))
    def save(name: DefinitionName, body: SaveBody) -> DefinitionText:
        """Save a definition in models/. One that is built in is never replaced."""
        problem = name_problem(name) or check_definition(body.text, name).error
        if problem:
            raise HTTPException(422, problem)
        path = save_definition(body.text, name, replace=body.replace)
        return DefinitionText(text=body.text, **summary(name, path).model_dump())

    app.include_router(router)


def known_definition(name: str) -> str:
    """`name` if there is such a definition; status 404 otherwise."""
    known = definitions()
    if name not in known:
        raise HTTPException(404, f"there is no definition '{name}'; {nearest(name, known)}")
    return name
