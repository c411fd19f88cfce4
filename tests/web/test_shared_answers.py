"""An answer that many ask for is made once."""

import asyncio

import pytest

from pipeline.web import shared_answers
from pipeline.web.shared_answers import SharedAnswers

JOBS = "/api/v1/jobs"


class App:
    """An application that answers with how often it was asked, as soon as it may."""

    def __init__(self) -> None:
        self.asked, self.may, self.fails = 0, asyncio.Event(), False

    async def __call__(self, scope, receive, send):
        self.asked += 1
        answer = str(self.asked).encode()
        await self.may.wait()
        if self.fails:
            raise ValueError("gone")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})


async def ask(answers, path=JOBS, method="GET", query=b""):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    await answers(scope, None, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return int(sent[1]["body"])


def play(scene):
    async def played():
        app = App()
        await asyncio.wait_for(scene(app, SharedAnswers(app)), 20)

    asyncio.run(played())


async def together(app, answers, count, path=JOBS):
    """What `count` clients are answered that ask at the same time."""
    app.may.clear()
    clients = [asyncio.create_task(ask(answers, path)) for _ in range(count)]
    await asyncio.sleep(0.01)
    app.may.set()
    return await asyncio.gather(*clients)


def test_answer_is_made_once_for_all_who_ask_together_and_shared_for_a_moment(monkeypatch):
    async def scene(app, answers):
        assert await together(app, answers, 50) == [1] * 50
        assert await ask(answers) == 1
        assert await ask(answers, query=b"count=1") == 2
        monkeypatch.setattr(shared_answers, "SECONDS", 0.0)
        assert await ask(answers) == 3

    play(scene)


def test_who_asks_alone_gets_an_answer_of_their_own():
    async def scene(app, answers):
        app.may.set()
        assert [await ask(answers) for _ in range(3)] == [1, 2, 3]

    play(scene)


@pytest.mark.parametrize("path", ["/d/cats/label", "/api/v1/jobs/1/events", "/api/v1/jobs/1/images.zip", "/vote/token"])
def test_other_addresses_are_not_shared(path):
    async def scene(app, answers):
        assert sorted(await together(app, answers, 3, path)) == [1, 2, 3]

    play(scene)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_after_a_change_nobody_gets_what_was_made_before_it(method):
    async def scene(app, answers):
        assert await together(app, answers, 2) == [1, 1]
        assert await ask(answers, method=method) == 2
        assert await ask(answers) == 3
        app.may.clear()
        early = [asyncio.create_task(ask(answers)) for _ in range(2)]
        await asyncio.sleep(0.01)
        change = asyncio.create_task(ask(answers, method=method))
        await asyncio.sleep(0.01)
        app.may.set()
        assert [*await asyncio.gather(*early), await change] == [4, 4, 5]
        assert await ask(answers) == 6

    play(scene)


def test_client_that_leaves_does_not_take_the_answer_from_others():
    async def scene(app, answers):
        first, second = (asyncio.create_task(ask(answers)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        app.may.set()
        assert await second == 1

    play(scene)


def test_error_is_not_kept():
    async def scene(app, answers):
        app.fails = True
        failed = [asyncio.create_task(ask(answers)) for _ in range(2)]
        await asyncio.sleep(0.01)
        app.may.set()
        for client in failed:
            with pytest.raises(ValueError, match="gone"):
                await client
        app.fails = False
        assert await ask(answers) == 2

    play(scene)
