"""The description of the REST interface: complete, and true of what the server answers."""

import sys
from contextlib import suppress

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import make_app
from pipeline.web.jobs import job_view
from pipeline.web.security import AccessRules
from tests.web.conftest import FAKE_TASKS, PORT

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis, which is not installed")
from hypothesis import HealthCheck, Phase, given, settings, strategies  # noqa: E402  # it comes with schemathesis
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import checks  # noqa: E402

pytestmark = pytest.mark.slow
HOST = f"127.0.0.1:{PORT}"
METHODS = ("get", "post", "put", "delete", "patch")
checks.load_all_checks()
CHECKS = [
    checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]
OWN = ("/api/v1/jobs", "/gan_model")


@pytest.fixture
def app(fake_dataset, monkeypatch):
    """A server whose queue does not move, so that event streams would not end by themselves."""
    monkeypatch.setattr(job_view, "is_over", lambda shown: True)
    return make_app(
        fake_dataset.site(sys.executable, str(FAKE_TASKS), "gate"), AccessRules(host="127.0.0.1", port=PORT)
    )


@pytest.fixture
def description(client):
    return client.get("/api/openapi.json").json()


def operations(description):
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method} {path}", item[method]


def test_every_operation_says_what_it_does_and_how_it_is_refused(description):
    found = dict(operations(description))
    assert len(found) >= 13
    for name, operation in found.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        declared = set(operation["responses"])
        assert {"400", "401", "403", "421", "422", "431"} <= declared, name
        assert name.startswith("get") or {"413", "415"} <= declared, name


def test_every_parameter_is_bounded(description):
    for name, operation in operations(description):
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            schemas = schema.get("anyOf", [schema])
            kept = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "pattern", "enum", "const")
            assert all(each.get("type") in ("null", "boolean") or set(kept) & set(each) for each in schemas), (
                f"{name} {parameter['name']}"
            )


def attempt_all(app, most):
    """Send requests that the description allows, and some that it forbids, to every operation of jobs."""
    client = TestClient(app, base_url=f"http://{HOST}")
    ids = [client.post("/api/v1/jobs", json={"dataset": "cats"}).json()["id"] for _ in range(2)]
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers={"host": HOST})
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith(OWN):
            continue
        for mode in schemathesis.GenerationMode:
            attempt(operation.as_strategy(generation_mode=mode), ids, most)
            tried += 1
    return tried


def attempt(requests, ids, most):
    @given(case=requests, id=strategies.sampled_from([None, *ids]))
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case, id):
        if id and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = id
        case.call_and_validate(checks=CHECKS, headers={"host": HOST})

    with suppress(Unsatisfiable):  # nothing can be forbidden about a request without parameters
        send()


@pytest.mark.long
def test_generated_requests_get_only_declared_answers(app):
    assert attempt_all(app, 8) >= 26


@pytest.mark.long
def test_many_generated_requests_get_only_declared_answers(app):
    assert attempt_all(app, 200) >= 26
