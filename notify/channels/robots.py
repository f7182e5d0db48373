"""Robots of group chats: WeCom (企业微信), DingTalk (钉钉), Feishu (飞书).

All three answer 200 to what they refuse; the reason is a number in the body.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from city.delivery import DeliveryState
from notify.channels.http import check_status, host_of, post
from notify.channels.outcome import Message, NotSent, Way

# Busy, or too many messages in a minute: WeCom -1, 45009, 45033; DingTalk 130101, 410100, 660026;
# Feishu 11232, 99991400.
AGAIN = frozenset({-1, 45009, 45033, 130101, 410100, 660026, 11232, 99991400})
# Each takes 20 messages a minute from one robot.
WAIT_S = 60.0


def send_wecom(way: Way, message: Message) -> DeliveryState:
    body = {"msgtype": "text", "text": {"content": message.text}}
    return _send(way, way.resolve(way.channel.secret), body, "errcode", "errmsg")


def send_dingtalk(way: Way, message: Message) -> DeliveryState:
    url = way.resolve(way.channel.secret)
    if way.channel.signature:
        secret = way.resolve(way.channel.signature)
        stamp = str(int(message.now.timestamp() * 1000))
        sign = _sign(secret.encode(), f"{stamp}\n{secret}".encode())
        url += f"{'&' if '?' in url else '?'}timestamp={stamp}&sign={quote_plus(sign)}"
    body = {"msgtype": "text", "text": {"content": message.text}}
    return _send(way, url, body, "errcode", "errmsg")


def send_feishu(way: Way, message: Message) -> DeliveryState:
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": message.text}}
    if way.channel.signature:
        secret = way.resolve(way.channel.signature)
        stamp = str(int(message.now.timestamp()))
        # The text is the key here, and nothing is signed with it.
        body |= {"timestamp": stamp, "sign": _sign(f"{stamp}\n{secret}".encode(), b"")}
    return _send(way, way.resolve(way.channel.secret), body, "code", "msg")


def _sign(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()


def _send(way: Way, url: str, body: Mapping[str, Any], code: str, reason: str) -> DeliveryState:
    host = host_of(url)
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = post(url, raw, headers, way.timeout_s)
    check_status(host, answer)
    said = answer.json()
    number = said.get(code)
    if number == 0:
        return DeliveryState.DELIVERED
    if not isinstance(number, int):
        raise NotSent(f"{host} answered without {code}", permanent=True)
    busy = number in AGAIN
    problem = f"{host} refused: {number} {str(said.get(reason, ''))[:120]}".rstrip()
    raise NotSent(problem, permanent=not busy, wait_s=WAIT_S if busy and number != -1 else None)
