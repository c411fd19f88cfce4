"""The home page: all datasets."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.web.labelling.dataset_view import DatasetView
from pipeline.web.labelling.label_sync import count_labels
from pipeline.web.rendering import html
from pipeline.web.studio import Studio


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the home page to `app`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home() -> HTMLResponse:
        rows = [_row(name, studio.view(name)) for name in studio.site.datasets()]
        return html("home", datasets=rows, tab="/")

    app.include_router(router)


def _row(name: str, dataset_view: DatasetView) -> dict[str, object]:
    index, (labels, problem) = dataset_view.index(), dataset_view.label_sync.readable_labels()
    problem = problem or index.problem
    return {"name": name, "pictures": len(index.pictures), "labels": count_labels(labels), "problem": problem}
