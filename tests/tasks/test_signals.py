"""The first signal is a request; the second one ends the process."""

import signal
import subprocess
import sys
import textwrap

import pytest

from tests.end_to_end.home import REPOSITORY


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks_to_stop_and_second_signal_ends_the_process(number):
    done = run(f"""
        import os
        from tasks import signals
        with signals.listening(), signals.listening():
            os.kill(os.getpid(), {int(number)})
            print(signals.should_stop(), flush=True)
            os.kill(os.getpid(), {int(number)})
            print("still here")
    """)
    assert done.stdout == "True\n"
    assert done.returncode in (-number, 1, 130)


def test_listening_restores_the_signal_handlers():
    done = run("""
        import signal
        from tasks import signals
        before = signal.getsignal(signal.SIGTERM)
        with signals.listening():
            pass
        print(signals.should_stop(), signal.getsignal(signal.SIGTERM) == before)
    """)
    assert done.stdout == "False True\n"
