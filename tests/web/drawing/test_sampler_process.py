"""The process that draws samples: started on demand, ended when idle, replaced when it dies."""

import sys
import threading
import time
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.web.drawing.sampler_process import SamplerProcess
from tests.web.fake_sampler import DIES, HANGS, REFUSED

COMMAND = (sys.executable, str(Path(__file__).parent.parent / "fake_sampler.py"))


@pytest.fixture
def make():
    made = []

    def make(**limits):
        made.append(SamplerProcess(COMMAND, **limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


def question(folder, seed=0):
    return {"kind": "draw", "folder": str(folder), "seed": seed, "first": 0, "count": 2}


def test_it_starts_with_the_first_question_and_stays(make, tmp_path):
    sampler = make()
    assert not sampler.is_running
    assert sampler.ask(question(tmp_path)) == {"files": ["00000.png", "00001.png"]}
    first = sampler._process.pid
    sampler.ask(question(tmp_path))
    assert sampler._process.pid == first


def test_it_ends_when_nobody_asks(make, tmp_path):
    sampler = make(idle=0.1)
    sampler.ask(question(tmp_path))
    for _ in range(100):
        if not sampler.is_running:
            break
        time.sleep(0.05)
    assert not sampler.is_running
    assert sampler.ask(question(tmp_path))["files"]


def test_its_refusal_is_an_error_and_it_goes_on(make, tmp_path):
    sampler = make()
    with pytest.raises(UserError, match="this generator is damaged"):
        sampler.ask(question(tmp_path, REFUSED))
    assert sampler.ask(question(tmp_path))["files"]


def test_when_it_dies_the_error_has_its_last_line_and_the_next_question_another_process(make, tmp_path):
    sampler = make()
    with pytest.raises(HTTPException, match="ended before it answered: memory ran out") as caught:
        sampler.ask(question(tmp_path, DIES))
    assert caught.value.status_code == 503
    assert sampler.ask(question(tmp_path))["files"]


def test_when_it_hangs_it_is_killed(make, tmp_path):
    sampler = make(timeout=1.5)
    with pytest.raises(HTTPException, match="no answer in 2 s and was ended") as caught:
        sampler.ask(question(tmp_path, HANGS))
    assert caught.value.status_code == 503
    assert not sampler.is_running


def test_too_many_questions_are_refused(make, tmp_path):
    sampler = make(timeout=1, waiting=0)

    def hang():
        with pytest.raises(HTTPException):
            sampler.ask(question(tmp_path, HANGS))

    busy = threading.Thread(target=hang)
    busy.start()
    while not sampler.is_running:
        time.sleep(0.01)
    with pytest.raises(HTTPException, match="too many samples are being drawn") as caught:
        sampler.ask(question(tmp_path))
    assert caught.value.status_code == 503
    busy.join()


def test_a_command_that_does_not_exist_is_one_line(tmp_path):
    sampler = SamplerProcess((sys.executable, str(tmp_path / "nothing.py")))
    with pytest.raises(HTTPException, match=r"ended before it answered: .*nothing\.py"):
        sampler.ask(question(tmp_path))
