"""What requests and responses consist of: bodies that are checked, and how their errors are documented."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the picture, in hex")]

DatasetName = Annotated[str, Path(max_length=300, description="the name of the dataset")]


class StrictBody(BaseModel):
    """The base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EmptyBody(StrictBody):
    """A request without parameters."""


class ErrorBody(BaseModel):
    """What was wrong, where, and what to do, in one line."""

    error: str
    pointer: str | None = Field(None, description="the JSON pointer (RFC 6901) of the field that is wrong")


MEANINGS = {
    400: "the request cannot be read",
    401: "the token is missing",
    403: "another site may not ask for this",
    404: "there is nothing of this name",
    405: "this address does not take this method",
    409: "this cannot be done now",
    413: "the request is too large",
    415: "the request has another content type than is expected",
    421: "the request names another server",
    422: "a value is not allowed",
    431: "the headers are too large",
    500: "an error of the program; its console shows details",
    503: "this cannot be answered now; ask again later",
    507: "the disk does not take it",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses with which a route may refuse a request, for its OpenAPI description."""
    return {status: {"model": ErrorBody, "description": MEANINGS[status]} for status in statuses}
