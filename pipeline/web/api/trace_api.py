"""The trace over REST: everything that a sample, a sheet, a picture or a URL is connected to."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from starlette.exceptions import HTTPException

from pipeline.errors import DamagedState, UserError
from pipeline.report.trace import trace
from pipeline.report.trace_model import Trace
from pipeline.web.bodies import DatasetName, documented
from pipeline.web.studio import Studio

OF = "ARTIFACT/NUMBER or a number for a sample, the path of a sample sheet, an id or its first 6 digits, or a URL"


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the route to `app`."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}", tags=["samples"])

    @router.get("/trace", responses=documented(404, 409, 422))
    def trace_of(
        dataset: DatasetName, of: Annotated[str, Query(min_length=1, max_length=4000, description=OF)]
    ) -> Trace:
        """What one thing of a dataset is connected to, in both directions. Files elsewhere are not read."""
        paths = studio.paths(dataset)
        try:
            return trace(of, [paths], files=False)
        except DamagedState:
            raise
        except UserError as error:
            raise HTTPException(404, str(error)) from None

    app.include_router(router)
