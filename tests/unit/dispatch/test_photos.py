"""Evidence files: what they are, when and where they were taken."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from pillow_heif import register_heif_opener

from city.errors import InvalidInput
from dispatch.photos import MAX_BYTES, MAX_FILM_BYTES, inspect_file

SHANGHAI = ZoneInfo("Asia/Shanghai")


def picture(
    kind: str = "JPEG", *, offset: str | None = None, gps: bool = False, size: int = 8
) -> bytes:
    image = Image.new("RGB", (size, size), (10, 20, 30))
    exif = Image.Exif()
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = "2026:07:15 12:30:00"
    if offset:
        detail[ExifTags.Base.OffsetTimeOriginal] = offset
    if gps:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef] = "N"
        place[ExifTags.GPS.GPSLatitude] = (20.0, 1.0, 30.0)
        place[ExifTags.GPS.GPSLongitudeRef] = "E"
        place[ExifTags.GPS.GPSLongitude] = (110.0, 21.0, 36.0)
    out = io.BytesIO()
    image.save(out, kind, exif=exif)
    return out.getvalue()


def test_time_and_place_of_a_photo_are_read() -> None:
    facts = inspect_file(picture(gps=True), "image/jpeg", SHANGHAI)
    assert facts.taken_at == datetime(2026, 7, 15, 4, 30, tzinfo=UTC)
    assert facts.taken_from is not None
    assert facts.taken_from.lon == pytest.approx(110.36)
    assert facts.taken_from.lat == pytest.approx(20.025)


def test_an_offset_in_the_photo_beats_local_time() -> None:
    facts = inspect_file(picture(offset="+00:00"), "image/jpeg", SHANGHAI)
    assert facts.taken_at == datetime(2026, 7, 15, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_other_picture_formats_are_taken(kind: str, media_type: str) -> None:
    assert inspect_file(picture(kind), media_type, SHANGHAI).media_type == media_type


def test_a_photo_without_exif_and_a_pdf_have_no_time() -> None:
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "PNG")
    assert inspect_file(out.getvalue(), "image/png", SHANGHAI).taken_at is None
    assert inspect_file(b"%PDF-1.7 ...", "application/pdf", SHANGHAI).taken_at is None


@pytest.mark.parametrize(
    ("content", "media_type", "field"),
    [
        (b"", "image/jpeg", "file"),
        (b"GIF89a" + bytes(50), "image/gif", "file"),
        (b"<svg onload=alert(1)>", "image/svg+xml", "file"),
        (picture(), "image/png", "media_type"),
        (picture(size=64)[:-40], "image/jpeg", "file"),
        (b"%PDF-1.7", "image/jpeg", "media_type"),
        (bytes(MAX_BYTES + 1), "image/jpeg", "file"),
        (picture("PNG")[:60], "image/png", "file"),
    ],
)
def test_anything_else_is_refused(content: bytes, media_type: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        inspect_file(content, media_type, SHANGHAI)
    assert refused.value.field == field


def test_a_decompression_bomb_is_refused_undecoded() -> None:
    out = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    with pytest.raises(InvalidInput, match="pixels"):
        inspect_file(out.getvalue(), "image/png", SHANGHAI)


def box(name: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4) + name + body


FILM = box(b"ftyp", b"isom\0\0\0\0") + box(b"mdat", bytes(500)) + box(b"moov", bytes(90))


def test_a_phones_heic_is_taken_with_time_and_place_and_a_picture_for_browsers() -> None:
    register_heif_opener()
    for said in ("image/heic", "image/heif", ""):
        facts = inspect_file(picture("HEIF", gps=True, size=64), said, SHANGHAI)
        assert facts.media_type == "image/heic"
        assert facts.taken_at == datetime(2026, 7, 15, 4, 30, tzinfo=UTC)
        assert facts.taken_from is not None
        assert facts.shown is not None
        with Image.open(io.BytesIO(facts.shown)) as shown:
            assert (shown.format, shown.size) == ("JPEG", (64, 64))
            assert not shown.getexif()
    assert inspect_file(picture(), "image/jpeg", SHANGHAI).shown is None


def test_a_film_is_taken_up_to_its_size_and_only_whole() -> None:
    assert inspect_file(FILM, "video/mp4", SHANGHAI).media_type == "video/mp4"
    for content, said, problem in (
        (FILM[:-1], "video/mp4", "breaks off"),
        (box(b"ftyp", b"isom\0\0\0\0") + box(b"mdat", bytes(50)), "video/mp4", "breaks off"),
        (FILM, "image/jpeg", "the file is video/mp4"),
        (FILM + box(b"free", bytes(MAX_FILM_BYTES)), "video/mp4", f"larger than {MAX_FILM_BYTES}"),
        (picture("HEIF", size=64)[:-100], "image/heic", "undamaged"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            inspect_file(content, said, SHANGHAI)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_film_of_odd_boxes_does_harm(noise: bytes, at: int) -> None:
    content = FILM[:at] + noise + FILM[at:]
    with contextlib.suppress(InvalidInput):
        assert inspect_file(content, "video/mp4", SHANGHAI).media_type == "video/mp4"
