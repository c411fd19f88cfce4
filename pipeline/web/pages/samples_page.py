"""The samples page: samples of a training, large with where they come from; drawing others; walks; traces."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from pipeline.dataset_names import dataset_flag
from pipeline.gan.sampling_limits import MAX_COUNT, MAX_FRAMES, MAX_NUMBER, MAX_SEED
from pipeline.web.drawing.sample_sets import list_generators, list_sample_sets
from pipeline.web.rendering import html
from pipeline.web.studio import Studio


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the samples page to `app`."""
    router = APIRouter(prefix="/d/{dataset}", include_in_schema=False)

    @router.get("/samples")
    def samples(dataset: str) -> HTMLResponse:
        paths = studio.paths(dataset)
        return html(
            "samples",
            dataset=dataset,
            tab="samples",
            trainings=list_generators(paths),
            any_made=bool(list_sample_sets(paths)),
            flag=dataset_flag(dataset),
            limits={"count": MAX_COUNT, "frames": MAX_FRAMES, "number": MAX_NUMBER, "seed": MAX_SEED},
        )

    app.include_router(router)
