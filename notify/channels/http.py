"""One POST to an address that an administrator has set: no redirect, no proxy, and an end."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from notify.channels.outcome import NotSent

ANSWER_MAX_BYTES = 64 * 1024
# Answers of servers that are busy or away; any other 4xx says the same the next time.
AGAIN = frozenset({408, 425, 429})
# A server that asks for more than that is asked anyway: the matter may be red.
WAIT_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: str = ""

    def json(self) -> Mapping[str, Any]:
        """The object that the body is; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    """The answer of a server, whatever it is; raises `NotSent` where there is none in time."""
    split = urlsplit(url)
    host = split.hostname or ""
    if split.scheme not in ("http", "https") or not host:
        raise NotSent("the address is no http(s) address", permanent=True)
    until = time.monotonic() + timeout_s
    made: http.client.HTTPConnection
    if split.scheme == "https":
        context = ssl.create_default_context()
        made = http.client.HTTPSConnection(host, split.port, timeout=timeout_s, context=context)
    else:
        made = http.client.HTTPConnection(host, split.port, timeout=timeout_s)
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    try:
        made.request("POST", path, body, {"User-Agent": "Gridwarden", **headers})
        answer = made.getresponse()
        content = _read(made, answer, until)
        return Answer(answer.status, content, answer.headers.get("Retry-After", ""))
    except TimeoutError as error:
        raise NotSent(f"{host} did not answer within {timeout_s:g} s") from error
    except ssl.SSLError as error:
        raise NotSent(f"{host}: {error.reason or 'TLS failed'}") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(f"{host}: {_reason(error)}") from error
    finally:
        made.close()


def _read(
    made: http.client.HTTPConnection, answer: http.client.HTTPResponse, until: float
) -> bytes:
    """As much as anybody looks at; a server that drips is left in time."""
    content = b""
    while len(content) < ANSWER_MAX_BYTES:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if made.sock is not None:
            made.sock.settimeout(left)
        piece = answer.read1(ANSWER_MAX_BYTES)
        if not piece:
            break
        content += piece
    return content[:ANSWER_MAX_BYTES]


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def check_status(host: str, answer: Answer) -> None:
    """Raise `NotSent` for an answer that is no 2xx."""
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotSent(f"{host} answered {status}: redirects are not followed", permanent=True)
    wait_s = float(answer.retry_after) if answer.retry_after.isdigit() else None
    raise NotSent(
        f"{host} answered {status}",
        permanent=status < 500 and status not in AGAIN,
        wait_s=None if wait_s is None else min(wait_s, WAIT_MAX_S),
    )


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
