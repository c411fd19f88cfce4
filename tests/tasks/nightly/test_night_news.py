"""Mail and webhook: what is sent, and that nothing that goes wrong there is more than a line."""

import json
import socketserver
import threading
from base64 import b64encode
from contextlib import contextmanager
from datetime import date
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.night_record import NEWS, SUMMARY, News, NightSummary, Turn, read
from tasks.nightly import night_files, night_news, webhook
from tasks.nightly.night_options import NightlyOptions

NIGHT = date(2026, 11, 30)
PAGE = Path("/srv/generated/nightly/2026-11-30/index.html")


def summary(outcome: str = "done", **more) -> NightSummary:
    turn = Turn(subject="cats", outcome=outcome, line="no network", began="2026-11-30T02:00:00+00:00")
    return NightSummary(date=NIGHT, began="", ended="", turns=(turn,), **more)


@contextmanager
def served(server: socketserver.BaseServer):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted, and answers as the server is told."""

    def do_POST(self):
        self.server.authorization = self.headers["authorization"]
        self.server.posted.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        if self.server.slow:
            self.server.released.wait(10)
            return
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def hook():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posted, server.status, server.slow, server.released = [], 204, False, threading.Event()
    with served(server):
        yield server
        server.released.set()


def address(server, path: str = "/hook?token=secret") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_webhook_posts_json(hook):
    line = webhook.post(address(hook), {"night": "2026-11-30", "subjects": ["コアラ"]})
    ((path, body),) = hook.posted
    assert (path, json.loads(body)) == ("/hook?token=secret", {"night": "2026-11-30", "subjects": ["コアラ"]})
    assert line == f"webhook at 127.0.0.1:{hook.server_address[1]}: sent, status 204"


@pytest.mark.parametrize(("status", "says"), [(500, "failed: status 500"), (307, "failed: status 307; it leads else")])
def test_webhook_follows_no_redirect_and_tells_the_status(hook, status, says):
    hook.status = status
    assert says in webhook.post(address(hook), {})
    assert len(hook.posted) == 1


def test_webhook_that_hangs_is_a_line(hook):
    hook.slow = True
    assert webhook.post(address(hook), {}, deadline=0.2).endswith("failed: no answer within 0 s")


def test_webhook_sends_the_name_and_password_of_its_address(hook):
    there = address(hook).replace("http://", "http://me:p%40ss@")
    line = webhook.post(there, {})
    assert hook.authorization == "Basic " + b64encode(b"me:p@ss").decode()
    assert "p%40ss" not in line


def test_webhook_whose_sender_breaks_says_so(monkeypatch):
    monkeypatch.setattr(webhook, "_post", lambda address, data: 1 // 0)
    assert webhook.post("http://example.org/", {}).endswith(
        "failed: ZeroDivisionError: integer division or modulo by zero"
    )


@pytest.mark.parametrize("there", ["http://127.0.0.1:9/x", "http://name.invalid/x"])
def test_webhook_that_cannot_be_reached_is_a_line_without_its_address(there):
    line = webhook.post(there + "?token=secret", {})
    assert ": failed: " in line
    assert "secret" not in line


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that keeps what it is sent, or refuses every receiver."""

    def handle(self):
        while self.server.drips:
            self.say("220-")
            self.server.released.wait(0.05)
        self.say("220 here")
        while words := self.rfile.readline().decode().strip():
            verb = words.upper().partition(" ")[0]
            if verb == "DATA":
                self.say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.server.mails.append("".join(lines))
            if verb == "RCPT" and self.server.refuses:
                self.say("550 \x1b[31mno such mailbox")
                continue
            self.say("221 bye" if verb == "QUIT" else "250 ok")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mailbox():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)
    server.daemon_threads, server.mails, server.refuses = True, [], False
    server.drips, server.released = False, threading.Event()
    with served(server):
        yield server
        server.drips = False


@pytest.fixture
def mailing(configure, mailbox):
    """`mailing(kind)` writes a luigi.cfg whose mails go to the mailbox."""

    def write(kind: str = "plain", *, receiver: str = "me@example.org") -> None:
        port = mailbox.server_address[1]
        configure(
            f"[email]\nreceiver = {receiver}\nformat = {kind}\nforce_send = true\n"
            f"[smtp]\nhost = 127.0.0.1\nport = {port}\nno_tls = true\n"
        )

    return write


def content(mail: str) -> str:
    (part,) = message_from_string(mail).get_payload()
    return part.get_payload(decode=True).decode()


def test_mail_goes_through_luigis_notifications(mailing, mailbox):
    mailing()
    assert night_news.send_mail(summary("failed"), PAGE, when="always") == "mail: sent"
    (mail,) = mailbox.mails
    assert message_from_string(mail)["Subject"] == "night of 2026-11-30: 1 failed"
    assert message_from_string(mail)["To"] == "me@example.org"
    assert f"page: {PAGE}" in content(mail)
    assert "- cats: failed in 0.0 s: no network" in content(mail)


def test_mail_is_html_if_luigi_is_asked_for_that(mailing, mailbox):
    mailing("html")
    night_news.send_mail(summary("failed"), PAGE, when="always")
    assert "<h2>Failed</h2>" in content(mailbox.mails[0])


@pytest.mark.parametrize(
    ("when", "found", "mails"),
    [
        ("always", summary(), 1),
        ("problems", summary(), 0),
        ("problems", summary("failed"), 1),
        ("problems", summary(budget="over"), 1),
        ("never", summary("failed"), 0),
    ],
)
def test_mail_is_sent_when_it_is_wanted(mailing, mailbox, when, found, mails):
    mailing()
    night_news.send_mail(found, PAGE, when=when)
    assert len(mailbox.mails) == mails


def test_without_a_receiver_nothing_is_said(mailing, mailbox):
    mailing(receiver="")
    assert night_news.send_mail(summary(), PAGE, when="always") == ""


def test_a_mail_that_is_refused_is_a_line(mailing, mailbox):
    mailing()
    mailbox.refuses = True
    line = night_news.send_mail(summary(), PAGE, when="always")
    assert line.startswith("mail: failed: ")
    assert "\x1b" not in line


def test_a_mail_server_that_is_not_there_is_a_line(configure):
    configure("[email]\nreceiver = me@example.org\nforce_send = true\n[smtp]\nhost = 127.0.0.1\nport = 9\n")
    line = night_news.send_mail(summary(), PAGE, when="always")
    assert line.startswith("mail: failed: Not able to connect to smtp server")


def test_any_fault_of_a_sender_is_a_line(mailing):
    mailing()

    def send(subject: str, text: str) -> None:
        raise ModuleNotFoundError("No module named 'sendgrid'")

    line = night_news.send_mail(summary(), PAGE, when="always", send=send)
    assert line == "mail: failed: ModuleNotFoundError: No module named 'sendgrid'"


def test_a_mail_server_that_never_ends_its_greeting_is_a_line(mailing, mailbox):
    mailing()
    mailbox.drips = True
    line = night_news.send_mail(summary(), PAGE, when="always", deadline=0.3)
    assert line == "mail: failed: no answer within 0 s"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[email]\nformat = markdown\n", r"luigi.cfg \[email\]: .*'format'.*set mail = never under \[nightly\]"),
        ("[email]\nreceiver = a@b\n[smtp]\nport = many\n", r"luigi.cfg \[smtp\]: .*'port'"),
        ("[email]\nreceiver = a@b\nmethod = sendgrid\n", r"luigi.cfg \[sendgrid\]: .*'apikey'"),
    ],
)
def test_a_wrong_line_about_mail_is_named_before_the_night_and_fails_no_night(configure, text, says):
    configure(text)
    with pytest.raises(UserError, match=says):
        night_news.check_mail("always")
    night_news.check_mail("never")
    assert night_news.send_mail(summary(), PAGE, when="always").startswith("mail: failed: ")


def test_the_webhook_is_posted_though_the_mail_cannot_be_sent(configure, hook):
    configure("[email]\nreceiver = me@example.org\nformat = markdown\n")
    night_files.write(NIGHT, SUMMARY, summary())
    night_news.send_news(NIGHT, NightlyOptions(webhook=address(hook)))
    assert len(hook.posted) == 1
    assert read(night_files.folder(NIGHT) / NEWS, News).mail.startswith("mail: failed: ")


def test_news_are_sent_once_for_each_summary(configure, hook):
    configure("")
    options = NightlyOptions(webhook=address(hook))
    night_files.write(NIGHT, SUMMARY, summary())
    assert not night_news.is_sent(NIGHT)
    night_news.send_news(NIGHT, options)
    assert night_news.is_sent(NIGHT)
    assert read(night_files.folder(NIGHT) / NEWS, News).webhook.endswith("sent, status 204")
    night_files.write(NIGHT, SUMMARY, summary("failed"))
    assert not night_news.is_sent(NIGHT)


def test_news_that_cannot_be_sent_count_as_sent(configure):
    configure("[email]\nreceiver = me@example.org\nforce_send = true\n[smtp]\nhost = 127.0.0.1\nport = 9\n")
    night_files.write(NIGHT, SUMMARY, summary())
    night_news.send_news(NIGHT, NightlyOptions(webhook="http://127.0.0.1:9/"))
    assert night_news.is_sent(NIGHT)
