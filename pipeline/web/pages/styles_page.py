"""The pages of style transfers: all of them with a form for a new one, and one of them as it is drawn."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse

from pipeline.option_types import accepted, as_text
from pipeline.style.style_options import StyleOptions
from pipeline.web.charts import drawn_chart
from pipeline.web.rendering import html
from pipeline.web.studio import Studio
from pipeline.web.stylizing.style_queue import OUT
from pipeline.web.stylizing.style_results import losses_chart, styled_pictures
from pipeline.web.stylizing.style_submission import MAX_SAMPLES, UNSUITABLE
from pipeline.web.stylizing.style_view import style_status, style_statuses

MEANINGS = {  # of options that mean less here than in the command
    "network": "what compares pictures: VGG19, MobileNet, EfficientNetLite0, or auto: the first whose weights are here"
}
ON_PAGE = 48  # transfers
FIRST = ("size", "content_weight", "style_weight", "variation_weight", "colour")  # shown without opening "more"


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the pages to `app`."""
    router = APIRouter(prefix="/styles", include_in_schema=False)

    @router.get("")
    def styles(page: Annotated[int, Query(ge=1, le=1000)] = 1) -> HTMLResponse:
        jobs, options = studio.styles.all(), style_fields()
        shown = jobs[(page - 1) * ON_PAGE : page * ON_PAGE]
        return html(
            "styles",
            tab="/styles",
            styles=style_statuses(studio.styles, shown),
            page=page,
            has_older=len(jobs) > page * ON_PAGE,
            datasets=studio.site.datasets(),
            first=[each for each in options if each["name"] in FIRST],
            more=[each for each in options if each["name"] not in FIRST],
            most=MAX_SAMPLES,
        )

    @router.get("/{id}")
    def style(id: str, picture: int = 0) -> HTMLResponse:
        job = studio.styles.find(id)
        status = style_status(studio.styles, job)
        pictures = styled_pictures(studio.styles.work(job.dataset) / OUT)
        shown = min(max(0, picture), max(0, len(pictures) - 1))
        chosen = pictures[shown] if pictures else None
        chart = losses_chart(chosen.rows(), "losses") if chosen else None
        return html(
            "style",
            tab="/styles",
            style=status,
            shown=shown,
            chosen=status.pictures[shown] if chosen else None,
            steps=chosen.steps() if chosen else [],
            chart=drawn_chart(chart) if chart else None,
        )

    app.include_router(router)


def style_fields() -> list[dict[str, Any]]:
    """The options of a style transfer for a form: name, meaning, what is accepted, default, choices."""
    fields = StyleOptions.model_fields.items()
    return [
        {
            "name": name,
            "words": name.replace("_", " "),
            "meaning": MEANINGS.get(name, field.description),
            "accepted": accepted(field),
            "default": as_text(field.default),
            "choices": _choices(field.annotation),
        }
        for name, field in fields
        if name not in UNSUITABLE
    ]


def _choices(annotation: Any) -> list[str]:
    return [str(each) for each in getattr(annotation, "__args__", ()) if isinstance(each, str)]
