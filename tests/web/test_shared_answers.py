"""An answer that many ask for is made once."""

import asyncio
import threading
import time

import pytest

from pipeline.web import shared_answers
from pipeline.web.shared_answers import SharedAnswers


def test_answer_is_made_once_for_all_who_ask_together_and_again_later(monkeypatch):
    made = []

    def make():
        made.append(threading.get_ident())
        time.sleep(0.05)
        return {"number": len(made)}

    async def ask():
        answers = SharedAnswers()
        found = await asyncio.gather(*(answers.get("a", make) for _ in range(50)))
        assert set(found) == {b'{"number": 1}'}
        assert await answers.get("a", make) == b'{"number": 1}'
        answers.clear()
        assert await answers.get("a", make) == b'{"number": 2}'
        monkeypatch.setattr(shared_answers, "SECONDS", 0.0)
        assert await answers.get("a", make) == b'{"number": 3}'

    asyncio.run(ask())
    assert len(made) == 3


def test_client_that_leaves_does_not_take_the_answer_from_others():
    over = threading.Event()

    async def ask():
        answers = SharedAnswers()
        first, second = (asyncio.create_task(answers.get("a", over.wait)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        over.set()
        assert await second == b"true"

    asyncio.run(ask())


def test_error_is_not_kept():
    def fail():
        raise ValueError("gone")

    async def ask():
        answers = SharedAnswers()
        with pytest.raises(ValueError, match="gone"):
            await answers.get("a", fail)
        assert await answers.get("a", lambda: 1) == b"1"

    asyncio.run(ask())
