"""Each channel against a server on loopback that counts what arrives."""

from __future__ import annotations

import base64
import hmac
import json
import time as clock
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.settings import resolve_reference
from city.delivery import Channel, ChannelKind, DeliveryState, PushTarget
from city.errors import InvalidInput
from notify.channels.outcome import Message, NotSent, Way
from notify.channels.registry import limit_of
from notify.messages import fit
from notify.push_cipher import _expand, _extract, from_base64url, public_key
from notify.sending import send
from tests.integration.dispatch.town import START
from tests.integration.notify.desk import SECRET_KEY, browser_keys
from tests.integration.notify.servers import Relay, Web

LINK = "https://city.example/m/abc"
MESSAGE = Message(
    target="",
    title="督办 12",
    text=f"督办 12\n燃气泄漏\n{LINK}",
    link=LINK,
    key="abc",
    step="overdue",
    number="12",
    lang="zh",
    rings=True,
    urgent=False,
    ttl_s=1800,
    now=START,
)


def way(channel: Channel, timeout_s: float = 0.5, **secrets: str) -> Way:
    def resolve(reference: str) -> str:
        name = reference.partition(":")[2]
        if name not in secrets:
            raise InvalidInput("secret", reference, "is not set")
        return secrets[name]

    return Way(channel, resolve, timeout_s, SECRET_KEY)


def unsent(answer: DeliveryState | NotSent) -> NotSent:
    assert isinstance(answer, NotSent)
    return answer


def hook(web: Web, **more: str) -> Channel:
    return Channel("hook", ChannelKind.WEBHOOK, web.url + "/in?x=1", **more)


def test_a_webhook_gets_a_signed_message_and_says_that_it_has_it(web: Web) -> None:
    signed = way(hook(web, signature="env:HOOK"), HOOK="shared")
    assert send(signed, MESSAGE) is DeliveryState.DELIVERED
    (got,) = web.arrived
    assert got.path == "/in?x=1"
    assert (got.json["step"], got.json["case"], got.json["link"]) == ("overdue", "12", LINK)
    assert got.headers["Idempotency-Key"] == got.json["id"] == "abc"
    stamp, made = got.headers["X-Gridwarden-Signature"].split(",v1=")
    text = stamp.removeprefix("t=").encode() + b"." + got.body
    assert made == hmac.digest(b"shared", text, "sha256").hex()


@pytest.mark.parametrize(
    ("status", "permanent"), [(500, False), (503, False), (429, False), (404, True), (302, True)]
)
def test_what_a_server_answers_says_whether_to_try_again(
    web: Web, status: int, permanent: bool
) -> None:
    web.status, web.headers = status, {"Location": f"{web.url}/elsewhere", "Retry-After": "90"}
    answer = unsent(send(way(hook(web)), MESSAGE))
    assert (answer.permanent, answer.wait_s) == (permanent, 90 if status != 302 else None)
    assert str(status) in answer.problem
    assert len(web.arrived) == 1  # nobody was followed elsewhere


def test_a_server_that_hangs_is_left_in_time(web: Web) -> None:
    web.hangs = True
    began = clock.monotonic()
    answer = unsent(send(way(hook(web)), MESSAGE))
    assert clock.monotonic() - began < 2
    assert not answer.permanent
    assert "did not answer" in answer.problem


def test_a_server_that_is_not_there_is_tried_again(web: Web) -> None:
    gone = Channel("hook", ChannelKind.WEBHOOK, "http://127.0.0.1:9/")
    assert not unsent(send(way(gone), MESSAGE)).permanent


@pytest.mark.parametrize(
    ("kind", "ok", "busy", "refused"),
    [
        ("wecom", b'{"errcode":0}', b'{"errcode":45009}', b'{"errcode":93000,"errmsg":"no"}'),
        ("dingtalk", b'{"errcode":0}', b'{"errcode":660026}', b'{"errcode":310000}'),
        ("feishu", b'{"code":0}', b'{"code":11232}', b'{"code":19021,"msg":"sign"}'),
    ],
)
def test_robots_refuse_with_200_and_a_number(
    web: Web, kind: str, ok: bytes, busy: bytes, refused: bytes
) -> None:
    robot = way(Channel("robot", ChannelKind(kind), secret="env:ROBOT"), ROBOT=web.url)
    web.answer = ok
    assert send(robot, MESSAGE) is DeliveryState.DELIVERED
    assert LINK in web.arrived[0].body.decode()
    web.answer = busy
    assert not unsent(send(robot, MESSAGE)).permanent
    web.answer = refused
    assert unsent(send(robot, MESSAGE)).permanent
    web.answer = b"<html>"
    assert unsent(send(robot, MESSAGE)).permanent


def test_wecom_gets_no_more_bytes_than_it_takes(web: Web) -> None:
    channel = Channel("robot", ChannelKind.WECOM, secret="env:ROBOT")
    long = fit("督办 12", "燃气泄漏 " * 400, LINK, limit_of(channel))
    web.answer = b'{"errcode":0}'
    send(way(channel, ROBOT=web.url), replace(MESSAGE, text=long))
    content = web.arrived[0].json["text"]["content"]
    assert 1_990 < len(content.encode()) <= 2_048
    assert content.endswith(f"…\n{LINK}")


def test_a_city_may_say_a_shorter_limit_and_no_longer_one() -> None:
    short = Channel("sms", ChannelKind.SMS, text_max=70)
    assert limit_of(short).most == 70
    assert limit_of(replace(short, text_max=5_000)).most == 134


def test_dingtalk_and_feishu_are_signed_as_each_asks(web: Web) -> None:
    web.answer = b'{"errcode":0,"code":0}'
    secrets = {"ROBOT": f"{web.url}/send?access_token=1", "SIGN": "SECret"}
    for kind in (ChannelKind.DINGTALK, ChannelKind.FEISHU):
        channel = Channel("robot", kind, secret="env:ROBOT", signature="env:SIGN")
        assert send(way(channel, **secrets), MESSAGE) is DeliveryState.DELIVERED
    ding, feishu = web.arrived
    asked = parse_qs(urlsplit(ding.path).query)
    text = f"{asked['timestamp'][0]}\nSECret".encode()
    assert asked["sign"][0] == as_base64(hmac.digest(b"SECret", text, "sha256"))
    assert asked["access_token"] == ["1"]
    key = f"{feishu.json['timestamp']}\nSECret".encode()
    assert feishu.json["sign"] == as_base64(hmac.digest(key, b"", "sha256"))


def as_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_a_secret_that_is_not_there_is_said_and_tried_again() -> None:
    answer = unsent(send(way(Channel("robot", ChannelKind.WECOM, secret="env:ROBOT")), MESSAGE))
    assert "env:ROBOT" in answer.problem
    assert not answer.permanent


def test_no_other_secret_than_those_of_channels_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("of the installation")
    folder = tmp_path / "channels"
    folder.mkdir()
    (folder / "robot").write_text("https://robot.example\n")
    environ = {"CHANNEL_HOOK": "shared", "GRIDWARDEN_SECRET_KEY": "of the installation"}
    assert resolve_reference("file:robot", folder, environ) == "https://robot.example"
    assert resolve_reference("env:CHANNEL_HOOK", folder, environ) == "shared"
    for reference in (
        "env:GRIDWARDEN_SECRET_KEY",
        "file:../secret_key",
        f"file:{tmp_path}/secret_key",
        "file:none",
        "env:CHANNEL_NONE",
        "shared",
        "file:",
    ):
        with pytest.raises(InvalidInput):
            resolve_reference(reference, folder, environ)


def test_a_text_message_goes_out_by_a_gateway_that_apprise_knows(web: Web) -> None:
    address = f"json://{web.url.removeprefix('http://')}/send/{{phone}}"
    sms = way(Channel("sms", ChannelKind.SMS, secret="env:SMS"), 5, SMS=address)
    message = replace(MESSAGE, target="+8613800000000")
    assert send(sms, message) is DeliveryState.SENT
    (got,) = web.arrived
    assert got.path.startswith("/send/+8613800000000")
    assert got.json["message"] == MESSAGE.text
    web.status = 500
    assert "500" in unsent(send(sms, message)).problem
    nothing = way(Channel("sms", ChannelKind.SMS, secret="env:SMS"), SMS="nothing://x")
    assert unsent(send(nothing, message)).permanent


@pytest.mark.parametrize(
    ("answer", "permanent"), [("550 no such user", True), ("451 later", False)]
)
def test_a_relay_says_whether_to_try_again(relay: Relay, answer: str, permanent: bool) -> None:
    mail = way(Channel("mail", ChannelKind.EMAIL, relay.url, sender="d@city.example"), 5)
    message = replace(MESSAGE, target="ma@city.example", title="a\r\nBcc: all@city.example")
    assert send(mail, message) is DeliveryState.SENT
    (taken,) = relay.taken
    assert (taken["To"], taken["Bcc"]) == ("ma@city.example", None)
    assert taken["Message-ID"] == "<abc@city.example>"
    assert LINK in taken.get_content()
    relay.answer = answer
    refused = unsent(send(mail, message))
    assert refused.permanent is permanent
    assert answer[:3] in refused.problem


# Browsers


def opened(
    body: bytes, key: ec.EllipticCurvePrivateKey, p256dh: bytes, auth: bytes
) -> dict[str, object]:
    """What a browser does with a message."""
    salt, length = body[:16], body[20]
    theirs = body[21 : 21 + length]
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    shared = key.exchange(ec.ECDH(), sender)
    secret = _expand(_extract(auth, shared), b"WebPush: info\0" + p256dh + theirs, 32)
    root = _extract(salt, secret)
    content = _expand(root, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(root, b"Content-Encoding: nonce\0", 12)
    plain = AESGCM(content).decrypt(nonce, body[21 + length :], None)
    found: dict[str, object] = json.loads(plain.removesuffix(b"\2"))
    return found


def test_a_browser_can_read_its_message_and_nobody_keeps_it_longer(web: Web) -> None:
    """A push service that takes a message has not delivered it."""
    key, p256dh, auth = browser_keys()
    browser = PushTarget(1, "ma", f"{web.url}/push/1", p256dh, auth, "test", START)
    push = Channel("push", ChannelKind.PUSH, "mailto:d@city.example", hosts=(web.url,))
    web.status = 201
    message = replace(MESSAGE, text="燃气泄漏", browser=browser)
    assert send(way(push), message) is DeliveryState.SENT
    (got,) = web.arrived
    told = opened(got.body, key, from_base64url(p256dh), from_base64url(auth))
    assert (told["title"], told["body"], told["url"]) == ("督办 12", "燃气泄漏", LINK)
    assert told["silent"] is False
    assert f"k={public_key(SECRET_KEY)}" in got.headers["Authorization"]
    headers = [got.headers[name] for name in ("TTL", "Urgency", "Topic", "Content-Encoding")]
    assert headers == ["1800", "high", "abc", "aes128gcm"]
    long = replace(message, rings=False, ttl_s=int(timedelta(days=90).total_seconds()))
    send(way(push), long)
    assert web.arrived[1].headers["Urgency"] == "low"
    assert web.arrived[1].headers["TTL"] == str(28 * 86_400)
    web.status = 410
    assert unsent(send(way(push), message)).gone
    before = len(web.arrived)
    elsewhere = replace(push, hosts=("push.example",))
    assert unsent(send(way(elsewhere), message)).permanent
    assert len(web.arrived) == before
