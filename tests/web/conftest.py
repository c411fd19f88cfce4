"""A drawn home, and a client that asks its server as the page does."""

import pytest
from fastapi.testclient import TestClient

from pipeline.web.routes import make_app
from pipeline.web.security import Rules
from tests.web.drawn_home import DrawnHome

PORT = 8090


@pytest.fixture
def home(tmp_path):
    """Thirty pictures that nothing has scored."""
    made = DrawnHome(tmp_path)
    made.draw(30)
    return made


@pytest.fixture
def client(home):
    """A client of the server on this machine."""
    rules = Rules(host="127.0.0.1", port=PORT)
    return TestClient(make_app(home.site(), rules), base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)
