"""The two clients of docs/rest.md, run as they are printed there against a server."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.web.fake_trainings import SAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "rest.md"
CLIENTS = dict(re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE.read_text(), re.M | re.S))


def run_client(live_server, folder, *words):
    (live_server.fake_dataset.folder / "gate").write_text("trained kept 12")
    definition = folder / "my.json"
    definition.write_text(json.dumps({"generator": {"choice": "dcgan"}, "discriminator": {"choice": "dcgan"}}))
    command = [*words, live_server.address, "cats", str(definition)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, which is not installed")
def test_shell_client_trains_and_fetches_samples(live_server, tmp_path):
    (tmp_path / "client.sh").write_text(CLIENTS["sh"])
    found = run_client(live_server, tmp_path, "sh", "client.sh")
    assert found.returncode == 0, found.stderr
    assert re.search(r"^job [0-9a-f]{25} is done$", found.stdout, re.M)
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert len(zipfile.ZipFile(tmp_path / "samples.zip").namelist()) == 10
    assert "definition.json" in zipfile.ZipFile(tmp_path / "model.zip").namelist()


def test_python_client_trains_and_fetches_samples(live_server, tmp_path):
    (tmp_path / "client.py").write_text(CLIENTS["python"])
    found = run_client(live_server, tmp_path, sys.executable, "client.py")
    assert found.returncode == 0, found.stderr
    assert "done" in found.stdout
    assert len(zipfile.ZipFile(tmp_path / "images.zip").namelist()) == SAMPLES
    assert (tmp_path / "grid.png").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, which is not installed")
def test_shell_client_prints_why_it_was_refused(live_server, tmp_path):
    (tmp_path / "client.sh").write_text(CLIENTS["sh"].replace("gan.epochs", "gan.epoch"))
    found = run_client(live_server, tmp_path, "sh", "client.sh")
    assert found.returncode == 2
    assert json.loads(found.stderr)["pointer"] == "/settings/gan.epoch"


@pytest.mark.parametrize("language", ["sh", "python"])
def test_clients_are_about_thirty_lines(language):
    assert len([line for line in CLIENTS[language].splitlines() if line.strip()]) <= 35
