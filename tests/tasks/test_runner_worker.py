"""Processes of Luigi's workers that die, and what luigid may ask of them."""

import logging
import os
import signal
import threading

import luigi
import pytest

from tasks import runner


class Mortal(luigi.Task):
    """Ends its own process in the middle of its work."""

    number = luigi.IntParameter()

    def complete(self):
        return False

    def run(self):
        if self.number < 0:
            os.kill(os.getpid(), -self.number)
        os._exit(self.number)


class Broken(luigi.Task):
    """Cannot say whether it is done."""

    def complete(self):
        raise ValueError("the disk is gone")


def run(task: luigi.Task) -> list[runner.TaskFailure]:
    factory = runner.Factory()
    luigi.build([task], factory, workers=2, local_scheduler=True)
    return factory.failures


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (-signal.SIGKILL, "its process was ended by signal 9; signal 9 most often means that memory ran out"),
        (-signal.SIGTERM, "its process was ended by signal 15; signal 15 is a fault in a library, or a kill"),
        (3, "its process ended with code 3 and said nothing"),
        (0, "its process ended with code 0 and said nothing"),
    ],
)
def test_worker_reports_a_dead_process_in_one_line_and_does_not_wait_for_it_without_end(monkeypatch, number, expected):
    monkeypatch.setattr(runner, "GRACE", 0.5)
    (failure,) = run(Mortal(number=number))
    assert failure.line == f"{expected}; running again resumes there"


def test_worker_reports_an_error_of_complete_in_one_line():
    (failure,) = run(Broken())
    assert failure.line == "ValueError: the disk is gone"


@pytest.mark.parametrize(
    "message", [{"name": "set_worker_processes", "kwargs": {"n": "many"}}, {"name": "nothing", "kwargs": {}}, {}, 3]
)
def test_worker_survives_an_order_of_luigid_that_it_cannot_follow(message):
    worker = runner.Worker(scheduler=runner.Factory().create_local_scheduler())
    worker._handle_rpc_message(message)
    assert worker.worker_processes == 1


def test_threads_logged_sends_the_traceback_of_a_thread_to_the_log(caplog, capsys):
    with runner.threads_logged(), caplog.at_level(logging.ERROR, logger="luigi-interface"):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert "ZeroDivisionError" in caplog.text
    assert capsys.readouterr().err == ""
