"""Send the news of a night: a webhook, and a mail through Luigi's notifications. What fails is a line, never an error.

Luigi reads the sections [email], [smtp] and [sendgrid] of luigi.cfg. It logs what went wrong instead of raising it,
and sends nothing from a terminal unless `force_send` is true: both lines are taken from its log.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from luigi import notifications
from luigi.parameter import ParameterException

from pipeline.errors import UserError
from pipeline.night_record import NEWS, PAGE, SUMMARY, News, NightSummary, encoded
from pipeline.report.night_page import mail_html
from pipeline.report.night_words import LONGEST, as_json, mail_text, title
from pipeline.text import to_plain_line
from tasks.nightly import night_files, webhook
from tasks.nightly.deadline import line_within
from tasks.nightly.night_options import NightlyOptions
from tasks.nightly.night_plan import announce

DEADLINE_SECONDS = 60.0  # for the whole mail
SENT = "sent"
MAIL_LOG = logging.getLogger("luigi-interface")
Send = Callable[[str, str], None]


def is_sent(night: date) -> bool:
    """Whether the news of the summary of `night` were sent, or could not be."""
    summary, news = night_files.summary(night), night_files.news(night)
    return summary is not None and news is not None and news.summary == _digest(summary)


def send_news(night: date, options: NightlyOptions) -> None:
    """Send webhook and mail about the summary of `night`, print what became of them, and keep it."""
    summary = night_files.summary(night)
    if summary is None:
        raise FileNotFoundError(night_files.folder(night) / SUMMARY)
    page = (night_files.page_folder(night) / PAGE).absolute()
    hook = webhook.post(options.webhook, as_json(summary, str(page))) if options.webhook else ""
    mail = send_mail(summary, page, when=options.mail)
    for line in filter(None, (hook, mail)):
        announce(line)
    night_files.write(night, NEWS, News(summary=_digest(summary), mail=mail, webhook=hook))


def check_mail(when: str) -> None:
    """Raise a `UserError` if luigi.cfg has something about mail that Luigi cannot read, and a mail is wanted."""
    if when == "never":
        return
    section = "email"
    try:
        with _without_warnings():
            mail = notifications.email()
            if mail.receiver and mail.format != "none" and mail.method in ("smtp", "sendgrid"):
                section = mail.method
                getattr(notifications, section)()
    except (ValueError, ParameterException) as error:
        why = f"{str(error).rpartition(']: ')[2]}{f' ({error.__cause__})' if error.__cause__ else ''}"
        raise UserError(
            f"luigi.cfg [{section}]: {to_plain_line(why, LONGEST)}; correct it, or set mail = never under [nightly]"
        ) from None


def send_mail(
    summary: NightSummary, page: Path, *, when: str, send: Send | None = None, deadline: float = DEADLINE_SECONDS
) -> str:
    """Send the mail if there is a receiver and `when` says so; returns one line, empty if there is nothing to send."""
    is_wanted = when == "always" or (when == "problems" and (summary.outcome == "failed" or bool(summary.budget)))
    if not is_wanted:
        return ""
    with _lines_logged() as lines:
        said = line_within(deadline, lambda: _mail(summary, page, send or notifications.send_error_email))
    if said and not (said == SENT and lines):  # Luigi logs what it does not send, and raises nothing
        lines.append(said)
    return to_plain_line(f"mail: {'; '.join(lines)}", LONGEST) if lines else ""


def _mail(summary: NightSummary, page: Path, send: Send) -> str:
    """Send the mail; returns SENT, or nothing if nobody receives it. Errors: any, of a library that Luigi calls."""
    mail = notifications.email()
    if not mail.receiver or mail.format == "none":
        return ""
    text = mail_html(summary, str(page)) if mail.format == "html" else mail_text(summary, str(page))
    send(title(summary), text)
    return SENT


@contextmanager
def _lines_logged() -> Iterator[list[str]]:
    """What Luigi logs about a mail that it does not send."""
    lines: list[str] = []

    class Taken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if record.levelno >= logging.ERROR:
                lines.append(f"failed: {text}")
            elif text.startswith("Not sending email"):
                lines.append("not sent from a terminal, unless force_send = true under [email]")

    handler, level = Taken(), MAIL_LOG.level
    MAIL_LOG.addHandler(handler)
    MAIL_LOG.setLevel(min(level, logging.INFO) if level else logging.INFO)
    try:
        with _without_warnings():
            yield lines
    finally:
        MAIL_LOG.removeHandler(handler)
        MAIL_LOG.setLevel(level)


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():  # Luigi 3.8.1 warns of its own defaults, which are None
        warnings.simplefilter("ignore", UserWarning)
        yield


def _digest(summary: NightSummary) -> str:
    return hashlib.sha256(encoded(summary)).hexdigest()
