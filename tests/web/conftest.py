"""A fake dataset, a client that sends requests like the page, and a browser."""

import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import make_app
from pipeline.web.security import AccessRules
from tests.web.browser import CHROMIUM
from tests.web.fake_dataset import FakeDataset
from tests.web.live_server import LiveServer

PORT = 8090
FAKE_TASKS = Path(__file__).parent / "fake_tasks.py"


@pytest.fixture
def fake_dataset(tmp_path):
    """Thirty squares without scores."""
    made = FakeDataset(tmp_path)
    made.draw(30)
    return made


@pytest.fixture
def bare_dataset(tmp_path):
    """A dataset without squares, which takes no time to make; modules that need none let it replace the other one."""
    made = FakeDataset(tmp_path)
    (made.data / "runs").mkdir(parents=True)
    return made


@pytest.fixture
def client(fake_dataset):
    """A client of the server on this machine."""
    access_rules = AccessRules(host="127.0.0.1", port=PORT)
    return TestClient(
        make_app(fake_dataset.site(), access_rules), base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False
    )


@pytest.fixture(scope="module")
def chromium():
    """One browser for the tests of a module; each test has its own profile. It must not outlive them: while it is open,
    an event loop runs in this thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def profile(chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def live_server(tmp_path):
    """A server with seventy squares in its own process, whose runs are faked by fake_tasks.py."""
    fake_dataset = FakeDataset(tmp_path)
    fake_dataset.draw(70)
    server = LiveServer(fake_dataset, sys.executable, str(FAKE_TASKS), str(tmp_path / "gate")).start()
    yield server
    server.kill()
