"""The routes that programs ask without a token: /healthz and /metrics."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pipeline.web.monitoring.health import find_fault
from pipeline.web.monitoring.studio_metrics import StudioMetrics
from pipeline.web.studio import Studio

OPEN = ("/healthz", "/metrics")  # they change nothing, and tell no more than names of datasets, counts and times


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add both routes to `app`."""
    router, metrics = APIRouter(include_in_schema=False), StudioMetrics(studio)

    @router.get("/healthz")
    def healthz() -> JSONResponse:
        fault = find_fault(studio.site)
        if fault:
            return JSONResponse({"status": "failing", "error": fault}, status_code=503)
        return JSONResponse({"status": "ok", "datasets": len(studio.site.datasets())})

    @router.get("/metrics")
    def figures() -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    app.include_router(router)


def is_open(path: str) -> bool:
    """Whether a path needs no token."""
    return path in OPEN
