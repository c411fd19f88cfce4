"""Send the news of a night: a mail through Luigi's notifications, and a webhook. What fails is a line, never an error.

Luigi reads the sections [email], [smtp] and [sendgrid] of luigi.cfg. It logs what went wrong instead of raising it,
and sends nothing from a terminal unless `force_send` is true: both lines are taken from its log.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from luigi import notifications

from pipeline.night_record import NEWS, SUMMARY, News, NightSummary, read
from pipeline.report.night_page import mail_html
from pipeline.report.night_words import as_json, mail_text, title
from pipeline.store import digest
from pipeline.text import to_plain_line
from tasks.error_text import one_line
from tasks.nightly import night_files, webhook
from tasks.nightly.night_options import NightlyOptions
from tasks.nightly.night_plan import announce

LONGEST = 300  # characters of a line
MAIL_LOG = logging.getLogger("luigi-interface")
Send = Callable[[str, str], None]


def is_sent(night: date) -> bool:
    """Whether the news of the summary of `night` were sent, or could not be."""
    found = read(night_files.folder(night) / NEWS, News)
    return found is not None and found.summary == _summary_digest(night)


def send_news(night: date, options: NightlyOptions) -> None:
    """Send mail and webhook about the summary of `night`, print what became of them, and keep it."""
    summary = night_files.summary(night)
    if summary is None:
        raise FileNotFoundError(night_files.folder(night) / SUMMARY)
    page = (night_files.page_folder(night) / night_files.PAGE).absolute()
    mail = send_mail(summary, page, when=options.mail)
    hook = webhook.post(options.webhook, as_json(summary, str(page))) if options.webhook else ""
    for line in filter(None, (mail, hook)):
        announce(line)
    night_files.write(night, NEWS, News(summary=_summary_digest(night), mail=mail, webhook=hook))


def send_mail(summary: NightSummary, page: Path, *, when: str, send: Send | None = None) -> str:
    """Send the mail if there is a receiver and `when` says so; returns one line, empty if there is nothing to send."""
    mail = notifications.email()
    is_wanted = when == "always" or (when == "problems" and (summary.outcome == "failed" or bool(summary.budget)))
    if not mail.receiver or not is_wanted or mail.format == "none":
        return ""
    text = mail_html(summary, str(page)) if mail.format == "html" else mail_text(summary, str(page))
    with _lines_logged() as lines:
        try:
            (send or _send)(title(summary), text)
        except Exception as error:  # of a library that Luigi calls: a mail that fails must not fail the night
            lines.append(f"failed: {one_line(error)}")
    return to_plain_line(f"mail: {'; '.join(lines) or 'sent'}", LONGEST)


def _send(subject: str, text: str) -> None:
    notifications.send_error_email(subject, text)


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
        with warnings.catch_warnings():  # Luigi 3.8.1 warns of its own defaults, which are None
            warnings.simplefilter("ignore", UserWarning)
            yield lines
    finally:
        MAIL_LOG.removeHandler(handler)
        MAIL_LOG.setLevel(level)


def _summary_digest(night: date) -> str:
    file = night_files.folder(night) / SUMMARY
    return digest.of_file(file) if file.exists() else ""
