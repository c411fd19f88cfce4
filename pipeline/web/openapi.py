"""The OpenAPI description: what FastAPI finds out about the routes, and what may be answered to any request."""

from typing import Any

from fastapi import FastAPI

from pipeline.web.bodies import MEANINGS, ErrorBody

# By `security`, `connections` and `http_errors`, whatever is asked
ANY_REQUEST = (400, 401, 403, 421, 422, 431)
ANY_CHANGE = (413, 415)  # also of requests that have a body
READING = ("get", "head")
ERROR = {"$ref": "#/components/schemas/ErrorBody"}


def describe(app: FastAPI) -> None:
    """Let `app.openapi` also declare the refusals that any route may answer; a route declares its own."""
    found_out = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = found_out()
            description["components"]["schemas"].setdefault("ErrorBody", ErrorBody.model_json_schema())
            for item in description["paths"].values():
                for method, operation in item.items():
                    _add_refusals(operation["responses"], changes=method not in READING)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation extends it


def _add_refusals(responses: dict[str, Any], *, changes: bool) -> None:
    for status in (*ANY_REQUEST, *(ANY_CHANGE if changes else ())):
        if str(status) not in responses or _is_default(responses[str(status)]):
            responses[str(status)] = {
                "description": MEANINGS[status],
                "content": {"application/json": {"schema": ERROR}},
            }


def _is_default(response: dict[str, Any]) -> bool:
    """Whether FastAPI added it: errors of validation have our own form."""
    return "HTTPValidationError" in str(response)
