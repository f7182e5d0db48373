"""E-mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from city.delivery import DeliveryState
from notify.channels.outcome import Message, NotSent, Way

# `smtp` is for a relay beside us only: what is sent can be read on the way.
PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
CRLF = str.maketrans("\r\n", "  ")


def send(way: Way, message: Message) -> DeliveryState:
    """The relay has taken it. A repetition has the same Message-ID, by which mailboxes know it."""
    split = urlsplit(way.channel.address)
    host, port = split.hostname or "", split.port or PORTS[split.scheme]
    password = way.resolve(way.channel.secret) if way.channel.secret else ""
    mail = EmailMessage()
    mail["Subject"] = message.title.translate(CRLF)
    mail["From"], mail["To"] = way.channel.sender, message.target
    mail["Message-ID"] = f"<{message.key}@{way.channel.sender.rpartition('@')[2].rstrip('>')}>"
    mail["Date"] = message.now
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = message.lang
    if message.urgent:
        mail["X-Priority"] = "1"
    mail.set_content(message.text)
    try:
        with _open(split.scheme, host, port, way.timeout_s) as relay:
            if password:
                relay.login(unquote(split.username or ""), password)
            relay.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise NotSent(_said(host, code, text), permanent=code >= 500) from error
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(_said(host, error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPResponseException as error:
        permanent = error.smtp_code >= 500
        raise NotSent(
            _said(host, error.smtp_code, error.smtp_error), permanent=permanent
        ) from error
    except TimeoutError as error:
        raise NotSent(f"{host} did not answer within {way.timeout_s:g} s") from error
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{host}: {getattr(error, 'strerror', None) or error}") from error
    return DeliveryState.SENT


def _open(scheme: str, host: str, port: int, timeout_s: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
    relay = smtplib.SMTP(host, port, timeout=timeout_s)
    if scheme == "starttls":
        try:
            relay.starttls(context=context)
        except BaseException:
            relay.close()
            raise
    return relay


def _said(host: str, code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{host} answered {code} {words[:120]}".rstrip()
