"""`python -m tasks studio` with the real stages, in a working folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from tests.web.live_server import REPOSITORY, free_port

PATIENCE = 60.0  # seconds for the server to start
PICTURES = 48
SETTINGS = {
    "download.sources": "folder",
    "normalize.size": 16,
    "normalize.near_duplicates": -1,
    "filter.method": "none",
    "gan.extractor": "own",
    "generate.extractor": "own",
    "generate.count": 12,
    "generate.film": 0,
}


class RealServer:
    """A server whose jobs are real runs; `stop_jobs` and `kill` leave nothing at work."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "RealServer":
        words = [sys.executable, "-m", "tasks", "studio", "--no-browser", "--port", str(self.port)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(words, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(int(PATIENCE / 0.2)):
            try:
                return self.get("/api/v1/jobs") and self
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the server does not respond")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop_jobs(self) -> None:
        for job in json.loads(self.get("/api/v1/jobs"))["jobs"]:
            if job["state"] in ("queued", "running"):
                self.post(f"/api/v1/jobs/{job['id']}/stop", {})
        for _ in range(300):
            if all(job["state"] != "running" for job in json.loads(self.get("/api/v1/jobs"))["jobs"]):
                return
            time.sleep(0.2)
        raise AssertionError("a job goes on though it was stopped")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=600) as answer:
            return answer.read()

    def eventually(self, path: str) -> bytes:
        """What is at `path` as soon as it is there."""
        for _ in range(600):
            try:
                return self.get(path)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
                time.sleep(0.2)
        raise AssertionError(f"{path} never came")

    def post(self, path: str, body: dict) -> dict:
        sent = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return json.load(answer)

    def job(self, id: str) -> dict:
        return json.loads(self.get(f"/api/v1/jobs/{id}"))

    def followed(self, id: str) -> list[dict]:
        """Every state that the events of a job show, until it ends."""
        lines = self.get(f"/api/v1/jobs/{id}/events").splitlines()
        return [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]


class TinyServer(RealServer):
    """A server with the dataset tiny."""

    def __init__(self, folder):
        super().__init__(folder)
        (folder / "data" / "tiny" / "runs").mkdir(parents=True)
        (folder / "pictures").mkdir()
        random = np.random.default_rng(0)
        for number in range(PICTURES):
            pixels = random.integers(0, 256, (4, 4, 3), np.uint8)
            picture = Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC)
            picture.save(folder / "pictures" / f"{number}.png")

    def submit(self, definition, **settings):
        settings = SETTINGS | {"download.folder": str(self.folder / "pictures")} | settings
        return self.post("/api/v1/jobs", {"dataset": "tiny", "definition": definition, "settings": settings})
