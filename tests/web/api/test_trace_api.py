"""The trace over REST."""

from pipeline.report.trace_model import Trace
from tests.web.fake_dataset import picture_id

API = "/api/v1/datasets/cats/trace"


def test_a_picture_is_traced_by_the_first_digits_of_its_id(client):
    response = client.get(API, params={"of": picture_id(3)[:8]})
    assert response.status_code == 200
    found = Trace.model_validate(response.json())
    assert found.picture.crawled[0].url == "https://pictures.example/3.png"


def test_what_is_not_known_is_one_line(client):
    response = client.get(API, params={"of": "https://elsewhere.example/"})
    assert response.status_code == 404
    assert response.json()["error"] == "https://elsewhere.example/: cats has not asked for this URL"


def test_no_file_of_the_machine_is_read(client, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    there, absent = (client.get(API, params={"of": str(tmp_path / name)}) for name in ("secret.txt", "absent.txt"))
    assert there.status_code == absent.status_code == 404
    assert there.json()["error"].replace("secret", "absent") == absent.json()["error"]


def test_the_schema_is_in_the_openapi_description(client):
    described = client.get("/api/openapi.json").json()
    operation = described["paths"]["/api/v1/datasets/{dataset}/trace"]["get"]
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Trace")
    assert {"404", "409", "422"} <= operation["responses"].keys()
