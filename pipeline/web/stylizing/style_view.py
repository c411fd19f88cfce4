"""How a style transfer stands, as the page and REST show it."""

from pathlib import Path

from pydantic import BaseModel, Field

from pipeline.web.jobs.job import Job, State
from pipeline.web.jobs.job_runner import NO_DATASET as NO_WORK
from pipeline.web.jobs.job_view import followed
from pipeline.web.stylizing.style_queue import OUT, SAMPLES_OF, StyleQueue, content_files, style_files
from pipeline.web.stylizing.style_results import StyledPicture, styled_pictures


class StyledPictureBody(BaseModel):
    """One of the pictures of a transfer."""

    name: str
    state: str = Field(description="waiting, working, made, or found: it was there already")
    step: int | None = Field(description="of the newest sheet")
    links: dict[str, str] = Field(description="picture, sheet, film and card, as soon as they are there")


class StyleStatus(BaseModel):
    """How a style transfer stands. Times are ISO 8601 in UTC, and empty if they have not come."""

    id: str
    name: str
    state: State
    outcome: str = Field(description="how it ended, in one line")
    created: str
    started: str
    ended: str
    waits_for: str
    percent: int | None = Field(description="of the picture that is drawn now")
    note: str = Field(description="steps and losses, in words")
    content: list[str] = Field(description="names of the pictures that are drawn; empty: samples of the dataset")
    styles: int = Field(description="how many pictures of styles there are")
    dataset: str
    network: str = Field(description="what compares the pictures; empty until it begins")
    network_remark: str = Field(description="what a person should know of it")
    options: dict[str, str]
    pictures: list[StyledPictureBody]
    lines: list[str] = Field(description="the last lines that the command printed")
    links: dict[str, str]


def style_statuses(queue: StyleQueue, jobs: list[Job]) -> list[StyleStatus]:
    """How `jobs` stand."""
    waits = queue.turns().waits if any(job.state == "queued" for job in jobs) else {}
    return [_status(queue, job, waits.get(job.id, "")) for job in jobs]


def style_status(queue: StyleQueue, job: Job) -> StyleStatus:
    """How `job` stands."""
    return style_statuses(queue, [job])[0]


def _status(queue: StyleQueue, job: Job, waits_for: str) -> StyleStatus:
    status = followed(queue, job).status
    work, root = queue.work(job.dataset), f"/api/v1/styles/{job.id}"
    pictures = styled_pictures(work / OUT)
    options = {name: text for name, text in job.settings.items() if name not in (SAMPLES_OF, "samples")}
    running = job.state == "running"
    network, remark = next((found for each in pictures if (found := each.network())[0]), ("", ""))
    return StyleStatus(
        **{name: getattr(job, name) for name in ("id", "name", "state", "created", "started", "ended")},
        outcome=_outcome(job, work),
        waits_for=_waits_for(waits_for),
        percent=status.percent if running else None,
        note=status.note if running else "",
        network=network,
        network_remark=remark,
        content=[path.name for path in content_files(work)],
        styles=len(style_files(work)),
        dataset=job.settings.get(SAMPLES_OF, ""),
        options=options,
        pictures=[_picture(each, f"{root}/pictures/{number}") for number, each in enumerate(pictures)],
        lines=list(status.lines),
        links={"self": root, "log": f"{root}/log", "page": f"/styles/{job.id}"},
    )


def _outcome(job: Job, work: Path) -> str:
    """How it ended, without the folders of this machine."""
    if job.outcome == NO_WORK:
        return "its pictures are not there any more"
    return job.outcome.replace(f"{work.resolve()}/", "").replace(f"{work}/", "")


def _waits_for(reason: str) -> str:
    return reason if not reason or reason.startswith("cannot start") else "another style transfer"


def _picture(picture: StyledPicture, root: str) -> StyledPictureBody:
    steps = picture.steps()
    links = {"sheet": f"{root}/sheets/{steps[-1]}"} if steps else {}
    if picture.is_made:
        links |= {"picture": f"{root}/picture.png"}
        links |= {"film": f"{root}/film.{picture.film()}"} if picture.film() else {}
        links |= {"card": f"{root}/card"} if picture.file("README.md") else {}
    return StyledPictureBody(name=picture.name, state=picture.state, step=steps[-1] if steps else None, links=links)
