"""The process pool. The functions that run in other processes are at the end."""

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
from tests.processes import is_running

HERE, REPOSITORY = Path(__file__).parent, Path(__file__).parents[2]


def results(items, work, *, processes=2, seconds=30.0, should_stop=lambda: False) -> dict:
    found = {}

    def take(item, result):
        assert item not in found
        found[item] = result

    work_through(items, work, take, processes=processes, seconds=seconds, should_stop=should_stop)
    assert not multiprocessing.active_children()
    return found


def test_each_item_has_its_result():
    items = range(3 * SHARD + 5)
    assert results(items, double) == {item: 2 * item for item in items}
    assert results([], double) == {}


def test_work_is_distributed_over_processes(tmp_path):
    assert len(set(results(range(2 * SHARD), partial(wait_for_another_process, folder=tmp_path)).values())) == 2


def test_only_the_item_that_crashes_its_process_is_lost():
    items = range(2 * SHARD)
    found = results(items, partial(double_unless_bad, bad={3: "crash", 20: "exit"}))
    lost = Lost(reason=rejected.CRASHED)
    assert found == {item: lost if item in (3, 20) else 2 * item for item in items}


def test_only_the_item_that_exceeds_the_time_limit_is_lost():
    found = results(range(SHARD), partial(double_unless_bad, bad={5: "hang"}), processes=1, seconds=0.5)
    assert found == {item: Lost(reason=rejected.TOO_SLOW) if item == 5 else 2 * item for item in range(SHARD)}


def test_item_is_retried_after_a_crash(tmp_path):
    found = results(range(5), partial(crash_once, mark=tmp_path / "crashed"), processes=1)
    assert found == {item: item for item in range(5)}
    assert (tmp_path / "crashed").exists()


def test_exception_in_work_is_raised_with_its_traceback():
    with pytest.raises(RuntimeError, match="in divide"):
        results([1, 0], divide)
    assert not multiprocessing.active_children()


def test_full_disk_in_work_is_raised_as_os_error():
    with pytest.raises(OSError, match=r"No space left on device: 'out.png'$"):
        results([1], raise_disk_full)


def test_damaged_state_in_work_is_raised_unchanged():
    with pytest.raises(DamagedState, match=r"^that is damaged$"):
        results([1], raise_damaged_state)


def test_stop_ends_all_processes():
    began = time.monotonic()
    with pytest.raises(Stopped):
        results(range(4), partial(double_unless_bad, bad={0: "hang"}), should_stop=lambda: time.monotonic() > began + 1)
    assert not multiprocessing.active_children()


def test_workers_ignore_sigint():
    found = results(range(SHARD), partial(double_unless_bad, bad={2: "interrupt"}), processes=1)
    assert found == {item: 2 * item for item in range(SHARD)}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_workers_end_with_a_killed_parent(tmp_path):
    code = f"""if True:
        import sys
        sys.path[:0] = [{str(HERE)!r}, {str(REPOSITORY)!r}]
        from functools import partial
        from pathlib import Path
        from pipeline.images.worker_pool import work_through
        from test_worker_pool import record_pid_and_hang
        work = partial(record_pid_and_hang, folder=Path({str(tmp_path)!r}))
        work_through(range(32), work, print, processes=2, seconds=60, should_stop=lambda: False)"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(is_running(int(path.name)) for path in tmp_path.iterdir()))


def test_workers_do_not_run_the_script_of_their_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"""import sys
sys.path[:0] = [{str(REPOSITORY)!r}]
print("script")
from pipeline.images.worker_pool import work_through
work_through([-1, -2], abs, print, processes=2, seconds=60, should_stop=lambda: False)
print(__file__)""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert (lines[0], sorted(lines[1:-1]), lines[-1]) == ("script", ["-1 1", "-2 2"], str(script))


def wait_until(holds, seconds: float = 30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def double(item):
    return 2 * item


def wait_for_another_process(item, folder):
    """Wait until another process calls this too; returns the id of this process."""
    (folder / str(os.getpid())).touch()
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    return os.getpid()


def double_unless_bad(item, bad):
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


def raise_disk_full(item):
    raise OSError(errno.ENOSPC, "No space left on device", "out.png")


def raise_damaged_state(item):
    raise DamagedState("that is damaged")


def record_pid_and_hang(item, folder):
    (folder / str(os.getpid())).touch()
    time.sleep(600)
