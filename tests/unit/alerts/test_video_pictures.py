"""Pictures: what they really are, what is left after a blur; hosts and addresses that are asked."""

from __future__ import annotations

import io
import ipaddress

import numpy as np
import pytest
from PIL import Image

from alerts.video.fetch import Host, NotFetched, fetch, host_of_camera, parse_hosts, why_not
from alerts.video.pictures import MAX_BYTES, blur, inspect_picture, regions_of
from city.errors import InvalidInput
from city.video import inline_picture


def picture(kind: str = "JPEG", size: tuple[int, int] = (120, 80)) -> bytes:
    dice = np.random.default_rng(7)
    blocks = dice.integers(0, 2, (size[1] // 4, size[0] // 4), dtype=np.uint8) * 255
    image = Image.fromarray(np.kron(blocks, np.ones((4, 4), np.uint8))).convert("RGB")
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_what_its_bytes_are(kind: str) -> None:
    found = inspect_picture(picture(kind))
    assert (found.media_type, found.width, found.height) == (f"image/{kind.lower()}", 120, 80)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>sign in</body></html>",
        b"\xff\xd8\xff\xe0 not a picture",
        picture()[:-400],
        picture("GIF"),
        b"\xff\xd8" + b"\0" * MAX_BYTES,
    ],
    ids=["nothing", "page", "head of a JPEG", "half", "GIF", "too large"],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="snapshot"):
        inspect_picture(content)


def spread(content: bytes, box: tuple[int, int, int, int]) -> float:
    return float(np.asarray(Image.open(io.BytesIO(content)).convert("L").crop(box)).std())


def test_given_regions_are_gone_and_the_rest_stays() -> None:
    before = picture("PNG")
    after = blur(before, [(0.0, 0.0, 0.5, 1.0)])
    assert spread(before, (4, 4, 56, 76)) > 120
    assert spread(after, (4, 4, 56, 76)) < 45
    assert spread(after, (68, 4, 116, 76)) > 110
    assert spread(blur(before, None), (4, 4, 116, 76)) < 45
    assert inspect_picture(after).media_type == "image/jpeg"


def test_regions_that_make_no_sense_mean_the_whole() -> None:
    assert regions_of({"regions": [[0.1, 0.2, 0.3, 0.4]]}) == [(0.1, 0.2, 0.3, 0.4)]
    for said in (None, [], "faces", [[1, 2, 3, 4]], [[0.1, 0.2, 0.3]], [["a", 0, 0, 0]]):
        assert regions_of({"regions": said}) is None


def test_a_picture_comes_with_the_message_if_it_is_whole() -> None:
    assert inline_picture("data:image/jpeg;base64,/9j/4A==") == b"\xff\xd8\xff\xe0"
    for wrong in ("data:image/jpeg;base64,!", "data:text/html;base64,AAAA", "http://a/b", ""):
        assert inline_picture(wrong) is None


def test_hosts_are_read_and_nonsense_is_named() -> None:
    assert parse_hosts(" NVR.city.lan , 10.1.2.3:8080,[fd00::1]:443") == (
        Host("nvr.city.lan", None, True),
        Host("10.1.2.3", 8080, True),
        Host("fd00::1", 443, True),
    )
    assert host_of_camera("10.1.2.3") == (Host("10.1.2.3"),)
    assert host_of_camera("http://10.1.2.3/") == host_of_camera("") == ()
    for wrong in ("http://nvr", "nvr/path", "user@nvr", "nvr:port"):
        with pytest.raises(InvalidInput, match="snapshot_hosts"):
            parse_hosts(wrong)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://other.lan/a.jpg", "other.lan:80 is not allowed"),
        ("http://cam.lan:22/a.jpg", "cam.lan:22 is not allowed"),
        ("http://cam.lan.evil.org/", "cam.lan.evil.org:80"),
        ("http://cam.lan@evil.org/", "password"),
        ("http://user:secret@cam.lan/", "password"),
        ("file:///etc/passwd", "no http"),
        ("gopher://cam.lan/", "no http"),
        ("http://[::1/", "no address"),
        ("http:///a.jpg", "no http"),
        # Ways to write 127.0.0.1 that a resolver may understand.
        ("http://2130706433/", "2130706433:80 is not allowed"),
        ("http://0x7f.1/", "0x7f.1:80 is not allowed"),
        ("http://127.1/", "127.1:80 is not allowed"),
    ],
)
def test_nobody_but_the_allowed_is_asked(url: str, named: str) -> None:
    with pytest.raises(NotFetched) as caught:
        fetch(url, [Host("cam.lan"), Host("127.0.0.1", 8080)])
    assert caught.value.refused
    assert named in caught.value.problem


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("10.1.2.3", True),
        ("192.168.1.9", True),
        ("fd00::9", True),
        ("8.8.8.8", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("2002:7f00:1::", False),
    ],
)
def test_a_name_that_leads_to_this_machine_is_not_followed(address: str, fine: bool) -> None:
    there = ipaddress.ip_address(address)
    for host in (Host("cam.lan"), Host("cam.lan", None, True), Host(str(there))):
        assert (why_not(there, host) == "") is fine
    # Only the installation's own word for the very address.
    assert why_not(ipaddress.ip_address("127.0.0.1"), Host("127.0.0.1", 8080, True)) == ""
