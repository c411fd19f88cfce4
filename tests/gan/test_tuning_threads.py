import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.gan.config import parse_definition
from pipeline.gan.tuning import BACKEND_DEFAULT_THREADS, Threads, heaviest_layer, share_cores

REPOSITORY = Path(__file__).parent.parent.parent
ASKING = """
import os
from pipeline.devices import Threads, prepare_devices
from tensorflow.config import threading
for told in ("3", ""):
    os.environ |= {"TF_NUM_INTRAOP_THREADS": told}
    if not told:
        del os.environ["TF_NUM_INTRAOP_THREADS"]
    prepare_devices(Threads(within=1, between=2))
    print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
"""


def definition(**keys):
    return parse_definition(json.dumps(keys), "a test")


def test_heaviest_layer_counts_operations():
    # 4x4 kernels from 16 to 32 channels, at 4x4 positions, of 10 pictures of 16 px
    assert heaviest_layer(definition(batch=10, discriminator={"width": 16}), size=16) == 2 * 10 * 16 * 16 * 32 * 16


def test_small_steps_run_layers_at_once_and_large_steps_split_layers():
    assert share_cores(definition(batch=16), size=32, cores=2) == Threads(within=1, between=2)
    assert share_cores(definition(batch=64, discriminator={"width": 64}), size=64, cores=2) == BACKEND_DEFAULT_THREADS
    assert share_cores(definition(batch=16), size=32, cores=1) == BACKEND_DEFAULT_THREADS


def test_invalid_size_is_refused():
    with pytest.raises(UserError, match="18 pixels"):
        share_cores(definition(), size=18, cores=2)


@pytest.mark.long
def test_threads_are_set_unless_the_environment_sets_them():
    done = subprocess.run([sys.executable, "-c", ASKING], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["0 0", "1 2"], done.stderr


def test_only_usable_cores_are_counted(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3}, raising=False)
    assert share_cores(definition(batch=16), size=32) == BACKEND_DEFAULT_THREADS
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 4}, raising=False)
    assert share_cores(definition(batch=16), size=32) == Threads(within=1, between=2)
