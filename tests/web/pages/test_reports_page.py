"""The reports that the studio serves: only their own files, with a policy of their own, and the whole as a zip."""

import io
import zipfile

import pytest
from bs4 import BeautifulSoup

from pipeline.report.report_page import page_script
from tests.web.fake_trainings import training


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


@pytest.fixture
def key(fake_dataset):
    """The first digits of the content key of a training that has a report."""
    key = training(fake_dataset)[:12]

    def fill(rows, work):
        (work / "index.html").write_text("<style>p {}</style><p>report</p>")
        (work / "training.webm").write_bytes(b"0123456789")
        (work / "secret.txt").write_text("x")

    fake_dataset.publish("report", None, {}, fill, {"gan.folder": key})
    return key


@pytest.fixture(params=["of the training", "of the last run"])
def root(request, key):
    """The address of the folder of a report."""
    return f"/d/cats/trainings/{key}/report/" if request.param == "of the training" else "/d/cats/report/"


def test_gallery_leads_to_the_report_of_its_training(key, client):
    shown = BeautifulSoup(client.get("/d/cats/gallery").text, "lxml")
    (link,) = [a["href"] for a in shown.select(".links a") if a.text == "report"]
    assert "<p>report</p>" in client.get(link).text


def test_report_may_run_its_own_script_alone(root, client):
    answer = client.get(root)
    assert "<p>report</p>" in answer.text
    rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert rules["script-src"] == page_script().source
    assert rules["style-src"] == "'unsafe-inline'"
    assert rules["media-src"] == "'self'"


def test_film_of_a_report_can_be_read_in_parts_as_browsers_do(root, client):
    answer = client.get(f"{root}training.webm", headers={"range": "bytes=2-4"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"234", "video/webm")


@pytest.mark.parametrize("name", ["secret.txt", "manifest.json", "../index.html", "%2e%2e/%2e%2e/x.html", "none.html"])
def test_only_the_pages_and_pictures_of_a_report_are_served(root, client, name):
    assert client.get(f"{root}{name}").status_code == 404


def test_address_without_a_slash_leads_to_the_report(key, client):
    answer = client.get("/d/cats/report", follow_redirects=False)
    assert answer.headers["location"] == "/d/cats/report/"


def test_zip_has_what_the_report_shows_and_no_more(key, client):
    answer = client.get("/d/cats/report.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        assert sorted(made.namelist()) == ["report/index.html", "report/training.webm"]
        assert made.read("report/training.webm") == b"0123456789"
    assert "cats-report.zip" in answer.headers["content-disposition"]


@pytest.mark.parametrize("path", ["report/", "report.zip"])
def test_dataset_without_a_report_says_so(client, path):
    answer = client.get(f"/d/cats/{path}")
    assert answer.status_code == 404
    assert "no run has made one" in answer.text or "run all stages first" in answer.text
