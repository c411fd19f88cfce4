"""The functions that run in the other processes are at the end."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import DamagedState, Stopped
from pipeline.images import rejected
from pipeline.images.worker_pool import SHARD, Lost, work_through

HERE, REPOSITORY = Path(__file__).parent, Path(__file__).parents[2]


def results(items, work, *, processes=2, seconds=30.0, should_stop=lambda: False) -> dict:
    found = {}

    def take(item, result):
        assert item not in found
        found[item] = result

    work_through(items, work, take, processes=processes, seconds=seconds, should_stop=should_stop)
    assert not multiprocessing.active_children()
    return found


def test_every_item_gets_its_result():
    items = range(3 * SHARD + 5)
    assert results(items, double) == {item: 2 * item for item in items}
    assert results([], double) == {}


def test_the_work_is_spread_over_processes(tmp_path):
    assert len(set(results(range(2 * SHARD), partial(meet, folder=tmp_path)).values())) == 2


def test_an_item_that_crashes_its_process_is_lost_and_no_other():
    items = range(2 * SHARD)
    found = results(items, partial(double_but, bad={3: "crash", 20: "exit"}))
    lost = Lost(reason=rejected.CRASHED)
    assert found == {item: lost if item in (3, 20) else 2 * item for item in items}


def test_an_item_that_never_ends_is_lost_and_no_other():
    found = results(range(SHARD), partial(double_but, bad={5: "hang"}), processes=1, seconds=0.5)
    assert found == {item: Lost(reason=rejected.TOO_SLOW) if item == 5 else 2 * item for item in range(SHARD)}


def test_a_crash_that_does_not_come_again_costs_nothing(tmp_path):
    found = results(range(5), partial(crash_once, mark=tmp_path / "crashed"), processes=1)
    assert found == {item: item for item in range(5)}
    assert (tmp_path / "crashed").exists()


def test_a_mistake_in_the_work_is_told_with_its_place():
    with pytest.raises(RuntimeError, match="in divide"):
        results([1, 0], divide)
    assert not multiprocessing.active_children()


def test_a_full_disk_is_told_in_a_line():
    with pytest.raises(OSError, match=r"No space left on device: 'out.png'$"):
        results([1], full)


def test_damage_comes_through_as_it_is():
    with pytest.raises(DamagedState, match=r"^that is damaged$"):
        results([1], damaged)


def test_a_request_to_stop_ends_it_and_all_processes():
    began = time.monotonic()
    with pytest.raises(Stopped):
        results(range(4), partial(double_but, bad={0: "hang"}), should_stop=lambda: time.monotonic() > began + 1)
    assert not multiprocessing.active_children()


def test_ctrl_c_is_left_to_the_parent():
    found = results(range(SHARD), partial(double_but, bad={2: "interrupt"}), processes=1)
    assert found == {item: 2 * item for item in range(SHARD)}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_no_process_outlives_a_parent_that_was_killed(tmp_path):
    code = f"""if True:
        import sys
        sys.path[:0] = [{str(HERE)!r}, {str(REPOSITORY)!r}]
        from functools import partial
        from pathlib import Path
        from pipeline.images.worker_pool import work_through
        from test_worker_pool import sign_and_hang
        work = partial(sign_and_hang, folder=Path({str(tmp_path)!r}))
        work_through(range(32), work, print, processes=2, seconds=60, should_stop=lambda: False)"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(alive(int(path.name)) for path in tmp_path.iterdir()))


def wait_until(holds, seconds: float = 30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Whether it runs; one that ended and waits to be collected does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def double(item):
    return 2 * item


def meet(item, folder):
    """Wait for another process to come; returns this one's id."""
    (folder / str(os.getpid())).touch()
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    return os.getpid()


def double_but(item, bad):
    match bad.get(item):
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(0)
        case "hang":
            time.sleep(600)
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
    return 2 * item


def crash_once(item, mark):
    if item == 2 and not mark.exists():
        mark.touch()
        os._exit(1)
    return item


def divide(item):
    return 1 / item


def full(item):
    raise OSError(errno.ENOSPC, "No space left on device", "out.png")


def damaged(item):
    raise DamagedState("that is damaged")


def sign_and_hang(item, folder):
    (folder / str(os.getpid())).touch()
    time.sleep(600)
