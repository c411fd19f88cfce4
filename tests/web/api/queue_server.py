"""A server in this process whose queue moves only when a test says so; its runs are faked."""

import sys
import time

from fastapi.testclient import TestClient

from pipeline.web.app import app_of
from pipeline.web.jobs.job_view import is_over
from pipeline.web.security import AccessRules
from pipeline.web.studio import Studio
from tests.web.conftest import FAKE_TASKS, PORT
from tests.web.fake_dataset import FakeDataset

JOBS = "/api/v1/jobs"
TOOLKIT = {"generator": {"choice": "dcgan"}, "discriminator": {"choice": "dcgan"}, "data_path": "/etc/passwd"}


class QueueServer:
    """A server of cats whose queue moves only when a test says so."""

    def __init__(self, folder, host="127.0.0.1"):
        self.folder, self.gate = folder, folder / "gate"
        fake = FakeDataset(folder)
        (fake.data / "runs").mkdir(parents=True, exist_ok=True)
        site = fake.site(sys.executable, str(FAKE_TASKS), str(self.gate))
        self.studio = Studio(site, AccessRules(host=host, port=PORT))
        app = app_of(self.studio)
        self.client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)

    def post(self, path="", body=None, **more):
        return self.client.post(JOBS + path, json=body or {}, **more)

    def get(self, path, **more):
        return self.client.get(JOBS + path, **more)

    def submitted(self, **body):
        answer = self.post(body={"dataset": "cats", **body})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def run(self, id, how="trained kept 12"):
        """Let the job end, and return it."""
        self.gate.write_text(how)
        for _ in range(600):
            self.studio.jobs.runner.tick()
            found = self.get(f"/{id}").json()
            if is_over(found):
                return found
            time.sleep(0.05)
        raise AssertionError("it never ended")
