"""Samples over REST: those of the stage generate, and others that are drawn on demand; walks; nearest reals."""

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from pipeline.gan.class_names import MAX_NAME, class_of, find_class, read_names
from pipeline.gan.sampling_limits import MAX_COUNT, MAX_FRAMES, MAX_NUMBER, MAX_SEED, MAX_TRUNCATION
from pipeline.report.trace_model import NearestReal, TrainingName
from pipeline.report.trace_picture import described_reals
from pipeline.web.bodies import DatasetName, StrictBody, documented
from pipeline.web.drawing.sample_drawer import Latent, find_generator
from pipeline.web.drawing.sample_sets import find_sample, list_sample_sets
from pipeline.web.rendering import dataset_api
from pipeline.web.studio import Studio

IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}  # the same address always has the same pixels
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "the PNG file"}}

Key = Annotated[
    str, InPath(pattern="^[0-9a-f]{12}$", description="the first 12 hex digits of the training's content key")
]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Number = Annotated[int, Field(ge=0, lt=MAX_NUMBER, description="of the sample, from 0")]
Truncation = Annotated[
    float, Field(ge=0, le=MAX_TRUNCATION, allow_inf_nan=False, description="bound on the values of a latent; 0: none")
]
ClassName = Annotated[str, Field(max_length=MAX_NAME, description="of a conditional GAN; empty: as the latent chooses")]


class SampleSet(BaseModel):
    """The samples that the stage generate made at one time."""

    artifact: str
    created: str
    training: TrainingName | None  # null if it was deleted
    seed: int
    count: int
    truncation: float
    class_name: str = Field(description="of all these samples of a conditional GAN; empty: each is of its own")
    kid: float | None
    kid_error: float | None
    precision: float | None
    recall: float | None
    extractor: str
    last_used: bool  # by the last run


class SampleSets(BaseModel):
    """All samples of a dataset, those of the last run first."""

    samples: list[SampleSet]


class DrawBody(StrictBody):
    """Which samples to draw."""

    seed: Seed = 0
    first: Number = 0
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 64
    truncation: Truncation = 0.0
    class_name: ClassName = ""


class LatentBody(StrictBody):
    """One latent of a training."""

    seed: Seed
    number: Number


class WalkBody(StrictBody):
    """From which sample to which, and in how many frames."""

    start: LatentBody = Field(alias="from")
    end: LatentBody = Field(alias="to")
    frames: Annotated[int, Field(ge=2, le=MAX_FRAMES)] = 60
    truncation: Truncation = 0.0
    class_name: ClassName = ""


class NearestBody(LatentBody):
    """The sample whose nearest reals are asked for."""

    truncation: Truncation = 0.0
    class_name: ClassName = ""


class DrawnSample(BaseModel):
    """A sample that can be fetched for a while: what was used longest ago is deleted."""

    number: int
    url: str


class DrawnSamples(BaseModel):
    """The samples that were drawn."""

    samples: list[DrawnSample]


class Frames(BaseModel):
    """The frames of a walk, in order."""

    frames: list[str]  # addresses


class LatentValues(BaseModel):
    """The numbers that a sample is made from."""

    seed: int
    number: int
    truncation: float
    class_name: str = Field(description="the class that the latent chooses; empty if the GAN is not conditional")
    latent: list[float]


class NearestReals(BaseModel):
    """The reals nearest to a sample by an extractor, the nearest first."""

    extractor: str
    nearest: list[NearestReal]
    notices: list[str]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the routes to `app`."""
    router = APIRouter(prefix="/api/v1/datasets/{dataset}", tags=["samples"])
    _add_made(router, studio)
    _add_drawing(router, studio)
    _add_walks(router, studio)
    _add_about(router, studio)
    app.include_router(router)


def _add_made(router: APIRouter, studio: Studio) -> None:
    @router.get("/samples", responses=documented(404, 422))
    def samples(dataset: DatasetName) -> SampleSets:
        """The samples of the stage generate, those of the last run first."""
        sets = list_sample_sets(studio.paths(dataset))
        return SampleSets(samples=[SampleSet.model_validate(each) for each in sets])

    @router.get("/samples/{artifact}/{number}", response_class=FileResponse, responses=PNG | documented(404, 422))
    def sample(
        dataset: DatasetName,
        artifact: Annotated[str, InPath(pattern=r"^[0-9a-f]{12}(\.[0-9]{1,6})?$")],
        number: Annotated[int, InPath(ge=0, lt=10**9)],
    ) -> Response:
        """One sample of the stage generate, a PNG file."""
        found = find_sample(studio.paths(dataset), artifact, number)
        if found is None:
            raise HTTPException(404, "there is no such sample; it may have been deleted")
        return FileResponse(found, media_type="image/png", headers=IMMUTABLE)


def _add_drawing(router: APIRouter, studio: Studio) -> None:
    @router.post("/trainings/{key}/draw", responses=documented(400, 404, 409, 415, 422, 503, 507))
    def draw(dataset: DatasetName, key: Key, body: DrawBody) -> DrawnSamples:
        """Draw samples with the generator of a training: the same as the stage generate makes of this seed."""
        _check_end(body.first + body.count)
        first = Latent(seed=body.seed, number=body.first, truncation=body.truncation, class_name=body.class_name)
        numbers = studio.sampling.draw(studio.paths(dataset), key, first, body.count)
        return DrawnSamples(
            samples=[
                DrawnSample(number=each, url=_drawn_url(dataset, key, replace(first, number=each))) for each in numbers
            ]
        )

    @router.get(
        "/trainings/{key}/drawn/{seed}/{number}", response_class=FileResponse, responses=PNG | documented(404, 422)
    )
    def drawn(
        dataset: DatasetName,
        key: Key,
        seed: Annotated[int, InPath(ge=0, le=MAX_SEED)],
        number: Annotated[int, InPath(ge=0, lt=MAX_NUMBER)],
        truncation: Annotated[float, Query(ge=0, le=MAX_TRUNCATION, allow_inf_nan=False)] = 0.0,
        class_name: Annotated[str, Query(max_length=MAX_NAME)] = "",
    ) -> Response:
        """A sample that was drawn, a PNG file."""
        latent = Latent(seed=seed, number=number, truncation=truncation, class_name=class_name)
        path = studio.sampling.find(studio.paths(dataset), key, latent)
        if path is None or not path.is_file():
            raise HTTPException(404, "this sample is not drawn, or was deleted meanwhile; draw it with POST .../draw")
        return FileResponse(path, media_type="image/png", headers=IMMUTABLE)


def _add_walks(router: APIRouter, studio: Studio) -> None:
    @router.post("/trainings/{key}/walk", responses=documented(400, 404, 409, 415, 422, 503, 507))
    def walk(dataset: DatasetName, key: Key, body: WalkBody) -> Frames:
        """Draw the samples on the way from one latent to another, along a sphere (slerp)."""
        start, end = (
            Latent(seed=each.seed, number=each.number, truncation=body.truncation, class_name=body.class_name)
            for each in (body.start, body.end)
        )
        name = studio.sampling.walk(studio.paths(dataset), key, start, end, body.frames)
        return Frames(frames=[f"{dataset_api(dataset)}/walks/{name}/{frame}" for frame in range(body.frames)])

    @router.get("/walks/{walk}/{frame}", response_class=FileResponse, responses=PNG | documented(404, 422))
    def frame(
        dataset: DatasetName,
        walk: Annotated[str, InPath(pattern="^walk-[0-9a-f]{32}$")],
        frame: Annotated[int, InPath(ge=0, lt=MAX_FRAMES)],
    ) -> Response:
        """A frame of a walk, a PNG file."""
        path = studio.sampling.find_frame(studio.paths(dataset), walk, frame)
        if path is None:
            raise HTTPException(404, "there is no such frame; draw the walk again")
        return FileResponse(path, media_type="image/png", headers=IMMUTABLE)


def _add_about(router: APIRouter, studio: Studio) -> None:
    @router.post("/trainings/{key}/nearest", responses=documented(400, 404, 409, 415, 422, 503, 507))
    def nearest(dataset: DatasetName, key: Key, body: NearestBody) -> NearestReals:
        """The reals nearest to a sample, by the extractor that measured the samples of this training."""
        paths, notices = studio.paths(dataset), list[str]()
        latent = Latent(seed=body.seed, number=body.number, truncation=body.truncation, class_name=body.class_name)
        extractor, near = studio.sampling.nearest(paths, key, latent)
        return NearestReals(extractor=extractor, nearest=described_reals(paths, near, notices), notices=notices)

    @router.get("/trainings/{key}/latent", responses=documented(404, 409, 422))
    def latent(
        dataset: DatasetName,
        key: Key,
        seed: Annotated[int, Query(ge=0, le=MAX_SEED)] = 0,
        number: Annotated[int, Query(ge=0, lt=MAX_NUMBER)] = 0,
        truncation: Annotated[float, Query(ge=0, le=MAX_TRUNCATION, allow_inf_nan=False)] = 0.0,
        class_name: Annotated[str, Query(max_length=MAX_NAME)] = "",
    ) -> LatentValues:
        """The numbers that a sample is made from."""
        from pipeline.gan.config import read_definition
        from pipeline.gan.latents import fixed_latents  # here, as SciPy takes long to load

        gan = find_generator(studio.paths(dataset), key)
        names = read_names(gan.folder)
        size = read_definition(gan.folder / "definition.json").latent + len(names)
        given: dict[str, Any] = {"seed": seed, "truncation": truncation}
        values = fixed_latents(number + 1, size=size, **given, chosen=find_class(class_name, names))[number]
        return LatentValues(
            **given,
            number=number,
            class_name=class_of(values, names) if names else "",
            latent=[float(f"{value:.9g}") for value in values],
        )


def _check_end(end: int) -> None:
    if end > MAX_NUMBER:
        raise HTTPException(422, f"first + count: {end} is more than {MAX_NUMBER}, the most that can be numbered")


def _drawn_url(dataset: str, key: str, latent: Latent) -> str:
    truncation = {"truncation": f"{latent.truncation:g}"} if latent.truncation else {}
    query = f"?{urlencode(about)}" if (about := truncation | latent.of_class) else ""
    return f"{dataset_api(dataset)}/trainings/{key}/drawn/{latent.seed}/{latent.number}{query}"
