"""Each stage on a disk that fills up while it works: one-line error, and the next run is bit-identical."""

import re
import resource
import time

import pytest

from tests.end_to_end.home import STAGES, Home
from tests.end_to_end.test_disk import fill, small_disk, told
from tests.end_to_end.test_kill import unmake

pytestmark = pytest.mark.long

__all__ = ["small_disk"]


@pytest.mark.parametrize("room", [0, 24 << 10, 200 << 10])
@pytest.mark.parametrize("stage", STAGES)
def test_stage_on_a_full_disk_gives_one_line_error(small_disk: Home, stage: str, room: int):
    expected = small_disk.outputs()
    unmake(small_disk, stage)
    filler = fill(small_disk)
    if room:
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - room)
    began = time.monotonic()
    process = small_disk.start("run")
    said, _ = process.communicate(timeout=300)
    told(said)
    if process.returncode:
        assert re.search(r"(No space left on device|disk is full|disk I/O error).*free some space", said), said
    filler.unlink()
    small_disk.do("run")
    assert small_disk.outputs() == expected
    peak, took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, time.monotonic() - began
    print(f"\n{stage:<11}{room >> 10:>4} KiB left: code {process.returncode}, {took:.0f} s, peak {peak:.0f} MiB")
