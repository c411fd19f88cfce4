"""The commands `studio` and `web` (the same, opened at its label page): the web server, with the paths of this working
folder."""

import sys
import webbrowser
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.errors import UserError
from pipeline.options import STAGES
from tasks import paths, rotated_log

if TYPE_CHECKING:
    from pipeline.web.dataset_paths import DatasetPaths


def add_studio(parser: ArgumentParser) -> None:
    """Add the arguments of the command `studio` to its parser."""
    _add_arguments(parser)
    parser.set_defaults(function=studio)


def add_web(parser: ArgumentParser) -> None:
    """Add the arguments of the command `web` to its parser."""
    _add_arguments(parser)
    parser.set_defaults(function=web)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--token", default="", help="token in the address; random by default if --host admits other machines"
    )
    parser.add_argument(
        "--scheduler", metavar="URL", default="", help="luigid to which the runs report (default: as luigi.cfg says)"
    )
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="only print the address")


def studio(given: Namespace) -> int:
    """Serve the studio until ctrl-C."""
    return _serve(given, "studio", "")


def web(given: Namespace) -> int:
    """Serve the studio until ctrl-C, opened at the label page of the dataset."""
    return _serve(given, "label page", "label")


def _serve(given: Namespace, name: str, page: str) -> int:
    # Here, because this imports FastAPI, which only these commands need
    from pipeline.web.dataset_paths import Site
    from pipeline.web.security import AccessRules, is_loopback, new_token
    from pipeline.web.server import serve
    from tasks.stages import STAGE_TASKS

    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: expected a number from 1 to 65535, for example 8090")
    token = given.token or ("" if is_loopback(given.host) else new_token())
    address = f"http://{_browser_host(given.host)}:{given.port}{_page_path(given.dataset, page)}" + (
        f"?token={quote(token, safe='')}" if token else ""
    )

    log = ExitStack()

    def ready() -> None:  # here, as the server sets up its loggers when it starts
        log.enter_context(rotated_log.logging_to(rotated_log.STUDIO, "", "uvicorn"))
        print(f"{name}: {address}  (ctrl-C ends it; labels are saved)", file=sys.stderr, flush=True)
        if given.browser:
            webbrowser.open(address)

    words = (sys.executable, "-m", "tasks")
    versions = {task.stage: task.version for task in STAGE_TASKS}
    site = Site(
        datasets=paths.datasets, paths=dataset_paths, command=words, scheduler=given.scheduler, versions=versions
    )
    with log:
        serve(site, AccessRules(host=given.host, port=given.port, token=token), ready=ready, first=given.dataset)
    return 0


def dataset_paths(dataset: str) -> "DatasetPaths":
    """The paths of a dataset for the web server."""
    from pipeline.web.dataset_paths import DatasetPaths

    stores = {stage: paths.artifact_store(dataset, stage) for stage in STAGES}
    folder, generated = paths.dataset_folder(dataset), paths.generated_folder(dataset)
    return DatasetPaths(dataset=dataset, folder=folder, generated=generated, **stores)


def _page_path(dataset: str, page: str) -> str:
    if not dataset:
        return "/"
    paths.existing_dataset(dataset)
    return f"/d/{quote(dataset, safe='')}/{page}"


def _browser_host(host: str) -> str:
    """A host name that a browser can open."""
    if host in ("0.0.0.0", "::"):
        import socket

        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
