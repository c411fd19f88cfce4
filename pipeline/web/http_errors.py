"""Errors as responses: one line that says what is wrong, as JSON for programs and as a page for people."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pipeline.errors import UserError, of_system
from pipeline.gan.config.json_text import json_pointer
from pipeline.web.labelling.dataset_view import NoSquares, UnknownPictures
from pipeline.web.mistakes import Mistake
from pipeline.web.rendering import html

GAN_MODEL = "/gan_model"  # whose clients look for `Success` in every answer


def add_error_handlers(app: FastAPI) -> None:
    """Every error is one line, in JSON for scripts; a traceback is only printed on the console."""

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        return _error_response(request, str(error.detail), error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid_request(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        in_body = first["loc"][0] == "body"
        place = _place(error.body, first) if in_body else first["loc"][1:]
        where = ".".join(str(part) for part in place)
        pointer = json_pointer(place) if in_body else None
        return _error_response(request, f"{where}: {first['msg']}".lstrip(": "), 422, pointer=pointer)

    @app.exception_handler(UnknownPictures)
    def unknown_pictures(request: Request, error: UnknownPictures) -> JSONResponse:
        return JSONResponse({"error": str(error), "unknown": list(error.ids)}, 404)

    @app.exception_handler(NoSquares)
    def no_squares(request: Request, error: NoSquares) -> Response:
        return _error_response(request, str(error), 503)

    @app.exception_handler(Mistake)
    def mistake(request: Request, error: Mistake) -> Response:
        return _error_response(request, str(error), 422, pointer=error.pointer)

    @app.exception_handler(UserError)
    def user_error(request: Request, error: UserError) -> Response:
        return _error_response(request, str(error), 409)

    @app.exception_handler(OSError)
    def system_error(request: Request, error: OSError) -> Response:
        return _error_response(request, str(of_system(error)), 507)

    @app.exception_handler(Exception)
    def unexpected_error(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"{type(error).__name__}; the server's console shows details"}, 500)


def _place(body: Any, mistake: dict[str, Any]) -> list[str | int]:
    """Where in `body` a mistake is: pydantic's location without the names of types, which no body has."""
    found: list[str | int] = []
    for part in mistake["loc"][1:]:
        if (isinstance(body, Mapping) and part in body) or (isinstance(body, list) and part in range(len(body))):
            body = body[part]
            found.append(part)
        elif mistake["type"] == "missing":
            found.append(part)
    return found


def _error_response(
    request: Request, line: str, status: int, headers: Any = None, *, pointer: str | None = None
) -> Response:
    if "text/html" in request.headers.get("accept", ""):  # a person opened an address in the browser
        response: Response = html("error", status, error=line)
    else:
        row: dict[str, Any] = {"error": line} | ({} if pointer is None else {"pointer": pointer})
        if request.url.path == GAN_MODEL:
            row |= {"Success": False, "Errors": [line], "id": None}
        response = JSONResponse(row, status)
    response.headers.update(headers or {})  # 405 names the methods that are allowed
    return response
