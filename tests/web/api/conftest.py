"""A server whose queue moves only when a test says so."""

from contextlib import suppress

import pytest

from pipeline.errors import UserError
from pipeline.web.jobs import job_runner
from tests.web.api.queue_server import QueueServer


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(job_runner, "SETTLE_SECONDS", 0.0)
    made = QueueServer(tmp_path)
    yield made
    made.gate.write_text("done")
    for job in made.studio.jobs.all():
        with suppress(UserError):
            made.studio.jobs.stop(job.id)
