"""`python -m tasks web`: the label page, told where this working folder keeps things."""

import sys
import threading
import webbrowser
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.errors import UserError
from tasks import label_snapshots, paths, settings
from tasks.run_pipeline import RunPipeline
from tasks.stages import Normalize

if TYPE_CHECKING:
    from pipeline.web.dataset_paths import DatasetPaths

_CHOOSING = threading.Lock()  # the settings are the process's, and pages ask in threads


def web(given: Namespace) -> int:
    """Serve the label page until ctrl-C."""
    from pipeline.web.dataset_paths import Site
    from pipeline.web.security import Rules, is_loopback, new_token  # FastAPI: only this command waits for it
    from pipeline.web.server import serve

    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: expected a number from 1 to 65535, for example 8090")
    token = given.token or ("" if is_loopback(given.host) else new_token())
    address = f"http://{_named(given.host)}:{given.port}{_path(given.dataset)}" + (
        f"?token={quote(token, safe='')}" if token else ""
    )

    def ready() -> None:
        print(f"label page: {address}  (ctrl-C ends it; what was marked is kept)", file=sys.stderr, flush=True)
        if given.browser:
            webbrowser.open(address)

    site = Site(datasets=paths.datasets, place=place, command=(sys.executable, "-m", "tasks"))
    serve(site, Rules(host=given.host, port=given.port, token=token), ready=ready, first=given.dataset)
    return 0


def place(dataset: str) -> "DatasetPaths":
    """Where the page finds a dataset."""
    from pipeline.web.dataset_paths import DatasetPaths

    shelves = {stage: paths.shelf(dataset, stage) for stage in ("download", "normalize", "classifier", "filter")}
    folder = paths.dataset_folder(dataset)
    files = (settings.FILE, settings.path(dataset))
    return DatasetPaths(dataset=dataset, folder=folder, chosen=lambda: chosen(dataset), settings=files, **shelves)


def chosen(dataset: str) -> Path | None:
    """The folder of squares that the settings in luigi.cfg name; None if it is not there, or they are wrong."""
    try:
        with _CHOOSING:
            settings.reread()  # a server may run for days
            # Squares depend on no label, so none are looked at
            found = RunPipeline(dataset=dataset, labels=label_snapshots.EMPTY).upstream(Normalize).published()
    except UserError:
        return None
    return found.folder if found else None


def _path(dataset: str) -> str:
    if not dataset:
        return "/"
    if dataset not in paths.datasets():
        raise UserError(f"there is no dataset '{dataset}' yet; `python -m tasks run --dataset {dataset}` makes it")
    return f"/d/{quote(dataset, safe='')}/"


def _named(host: str) -> str:
    """An address that a browser can open."""
    if host in ("0.0.0.0", "::"):
        import socket

        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
