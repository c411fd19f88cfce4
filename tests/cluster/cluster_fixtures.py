"""A cluster of two processes of this machine, for the tests of a module."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cluster.client import Cluster

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The cluster, as stages are given it. It ends with the module, as one that waits takes 5 % of a core."""
    with started() as (found, _):
        yield found


@contextmanager
def started() -> Iterator[tuple[Cluster, subprocess.Popen[str]]]:
    """A cluster, and the process of its scheduler."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    command = [sys.executable, "-m", "tests.cluster.cluster_process"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=REPOSITORY, **pipes, text=True)
    try:
        yield Cluster(**json.loads(process.stdout.readline()), dataset="cats"), process
    finally:
        process.stdin.close()
        process.wait(timeout=30)
