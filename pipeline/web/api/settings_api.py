"""The settings of datasets over REST: read, check, save, and let luigi.cfg or the default give them again."""

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.web.bodies import DatasetName, StrictBody, documented
from pipeline.web.jobs.job_checks import local_only_problem
from pipeline.web.security import is_loopback
from pipeline.web.settings_process import SettingsProcess, check_setting, known_setting
from pipeline.web.studio import Studio

TEXTS = 'a text for each setting, as luigi.cfg has it: {"gan.epochs": "20"}'


class Setting(BaseModel):
    """One setting of a dataset."""

    name: str
    value: str = Field(description="as luigi.cfg has it: a,b,c for a list, auto for none")
    origin: str = Field(description="what gives it: `default`, a section of luigi.cfg, or what is remembered")
    default: str
    meaning: str
    expected: str = Field(description="what may be given, in words")
    type: str = Field(description="list, flag, integer, number or text")
    choices: list[str] = Field(description="the only values that are allowed; empty if there are others")


class SettingList(BaseModel):
    """All settings of a dataset, in the order of the stages."""

    settings: list[Setting]


class SettingChanges(StrictBody):
    """What to save for a dataset, and what to forget."""

    values: dict[str, str] = Field({}, max_length=200, description=TEXTS)
    forget: list[str] = Field([], max_length=200, description="settings that luigi.cfg or the default gives again")


class SettingValues(StrictBody):
    """Values to check."""

    values: dict[str, str] = Field(max_length=200, description=TEXTS)


class SettingProblems(BaseModel):
    """What is wrong with values, a line for each setting; empty if nothing is."""

    problems: dict[str, str]


def add_routes(app: FastAPI, studio: Studio) -> None:
    """Add the routes of settings to `app`."""
    router = APIRouter(prefix="/api/v1", tags=["settings"])

    @router.get("/datasets/{dataset}/settings", responses=documented(404, 409))
    def get_settings(dataset: DatasetName) -> SettingList:
        """Every setting of a dataset, with its value and where that comes from."""
        return _list(_process(studio, dataset).described())

    @router.post("/datasets/{dataset}/settings", responses=documented(400, 404, 409, 413, 415, 422))
    def change_settings(dataset: DatasetName, body: SettingChanges) -> SettingList:
        """Save settings for a dataset, as if its last run had been given them by flag, and forget others."""
        process = _process(studio, dataset)
        if problems := _problems(body.values):
            raise HTTPException(422, next(iter(problems.values())))
        refuse_local_only(studio, body.values)
        for name in body.forget:
            _check_name(name)
        found = process.forget(body.forget) if body.forget else None
        found = process.remember(body.values) if body.values or found is None else found
        return _list(found)

    @router.post("/settings/check", responses=documented(400, 413, 415, 422))
    def check_settings(body: SettingValues) -> SettingProblems:
        """Check values of settings, each alone; nothing is saved."""
        return SettingProblems(problems=_problems(body.values))

    app.include_router(router)


def refuse_local_only(studio: Studio, values: dict[str, str]) -> None:
    """Refuse settings that name files of this machine (status 422), if other machines reach the server."""
    if is_loopback(studio.access_rules.host):
        return
    if problem := next((found for each in values.items() if (found := local_only_problem(*each))), ""):
        raise HTTPException(422, problem)


def _process(studio: Studio, dataset: str) -> SettingsProcess:
    return SettingsProcess(command=studio.site.command, dataset=studio.paths(dataset).dataset)


def _check_name(name: str) -> None:
    try:
        known_setting(name)
    except UserError as error:
        raise HTTPException(422, str(error)) from None


def _problems(values: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, text in values.items():
        try:
            check_setting(name, text)
        except UserError as error:
            found[name] = str(error)
    return found


def _list(found: list[dict[str, str]]) -> SettingList:
    return SettingList.model_validate({"settings": found})
