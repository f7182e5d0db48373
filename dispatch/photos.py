"""Files that people hand in as evidence: what they are, when and where they were taken. Pure."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from city.errors import InvalidInput
from city.place import LonLat

MAX_BYTES = 10 * 1024 * 1024
# A minute of a phone's film in 720 lines.
MAX_FILM_BYTES = 20 * 1024 * 1024
# A quarter of an hour of speech as browsers record it.
MAX_VOICE_BYTES = 5 * 1024 * 1024
EBML = b"\x1a\x45\xdf\xa3"
VOICE_BRANDS = frozenset({b"M4A ", b"M4B "})
# Larger pictures are refused before they are decoded (40 megapixels is a large phone camera).
MAX_PIXELS = 50_000_000
PDF = "application/pdf"
MP4 = "video/mp4"
HEIC = "image/heic"
IMAGES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "HEIF": HEIC}
# What phones call the same thing.
SAME_TYPES = {"image/heif": HEIC, "image/heic-sequence": HEIC, "image/jpg": "image/jpeg"}
# Longer sides of a picture that is made for browsers.
SHOWN_PIXELS = 2560
# Brands of a file of boxes that is a film; HEIC is a file of boxes, too.
FILM_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1"})


@dataclass(frozen=True, slots=True)
class FileFacts:
    media_type: str
    taken_at: datetime | None = None
    taken_from: LonLat | None = None
    shown: bytes | None = None  # an upright JPEG, where few browsers show the file itself


def inspect_file(content: bytes, media_type: str, zone: tzinfo) -> FileFacts:
    """Check that the content is what it says it is and read its EXIF time and place."""
    if not content:
        raise InvalidInput("file", 0, "is empty")
    if voice := _voice_type(content, media_type):
        return _inspect_voice(content, media_type, voice)
    if is_film(content):
        return _inspect_film(content, media_type)
    if len(content) > MAX_BYTES:
        raise InvalidInput("file", len(content), f"is larger than {MAX_BYTES} bytes")
    if content.startswith(b"%PDF-"):
        _same_type(PDF, media_type)
        return FileFacts(PDF)
    return _inspect_image(content, media_type, zone)


def _inspect_image(content: bytes, media_type: str, zone: tzinfo) -> FileFacts:
    _know_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            found = _verified_type(content)
            _same_type(found, media_type)
            # Opened again: `verify` and reading a PNG's EXIF exclude each other.
            with Image.open(io.BytesIO(content)) as image:
                image.draft("RGB", (64, 64))  # a JPEG is decoded small, but to its end
                image.load()
                exif = image.getexif()
                shown = _upright_jpeg(image) if found == HEIC else None
                return FileFacts(found, _taken_at(exif, zone), _taken_from(exif), shown)
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, EOFError,
        ValueError,
    ) as error:  # fmt: skip
        if isinstance(error, InvalidInput):
            raise
        problem = "must be an undamaged JPEG, PNG, WebP or HEIC image, an MP4 film or a PDF"
        raise InvalidInput("file", media_type, problem) from error


def _verified_type(content: bytes) -> str:
    with Image.open(io.BytesIO(content), formats=list(IMAGES)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InvalidInput("file", image.size, "has too many pixels")
        image.verify()
        return IMAGES[image.format or ""]


def _same_type(found: str, said: str) -> None:
    if said and SAME_TYPES.get(said, said) != found:
        raise InvalidInput("media_type", said, f"the file is {found}")


def _taken_at(exif: Image.Exif, zone: tzinfo) -> datetime | None:
    """Original time of the picture; without an offset it is taken as local time."""
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    text = detail.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    offset = detail.get(ExifTags.Base.OffsetTimeOriginal) or ""
    try:
        if offset:
            taken = datetime.strptime(f"{text} {offset}", "%Y:%m:%d %H:%M:%S %z")
        else:
            naive = datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
            taken = naive.replace(tzinfo=zone)
    except ValueError:
        return None
    return taken.astimezone(UTC)


def _taken_from(exif: Image.Exif) -> LonLat | None:
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    try:
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef], "S")
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef], "W")
        return LonLat(lon, lat)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, InvalidInput):
        return None


def _degrees(parts: Any, reference: str, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(reference).strip().upper() == negative else value


@cache
def _know_heif() -> None:
    """What phones of one make take; its library is loaded with the first picture."""
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)


def _upright_jpeg(image: Image.Image) -> bytes:
    """The picture without its EXIF: time and place stay with the file."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    upright.info.clear()
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=85)
    return out.getvalue()


def _voice_type(content: bytes, said: str) -> str | None:
    """What a recorder of a browser wrote; of MP4, which holds films as well, its own word."""
    if content.startswith(b"OggS"):
        return "audio/ogg"
    if content.startswith(EBML) and b"webm" in content[:64]:
        return "audio/webm"
    is_mp4 = content[4:8] == b"ftyp"
    sounds = content[8:12] in VOICE_BRANDS or (said == "audio/mp4" and is_film(content))
    return "audio/mp4" if is_mp4 and sounds else None


def _inspect_voice(content: bytes, said: str, found: str) -> FileFacts:
    if len(content) > MAX_VOICE_BYTES:
        raise InvalidInput("file", len(content), f"is larger than {MAX_VOICE_BYTES} bytes")
    _same_type(found, said)
    # A track of pictures begins within the first kilobytes of WebM.
    if found == "audio/webm" and b"V_" in content[:4096]:
        raise InvalidInput("media_type", said, "the file has pictures in it")
    return FileFacts(found)


def is_film(content: bytes) -> bool:
    """Whether it says of itself that it is MP4."""
    return content[4:8] == b"ftyp" and content[8:12] in FILM_BRANDS


def _inspect_film(content: bytes, media_type: str) -> FileFacts:
    """Its boxes must be whole, and one must say what is in it. What a camera writes of time and
    place is not read: few do, and most of those in UTC without saying so."""
    if len(content) > MAX_FILM_BYTES:
        raise InvalidInput("file", len(content), f"is larger than {MAX_FILM_BYTES} bytes")
    names = list(_boxes(content))
    if not {b"moov", b"mdat"} <= set(names):
        raise InvalidInput("file", media_type, "is an MP4 film that breaks off")
    _same_type(MP4, media_type)
    return FileFacts(MP4)


def _boxes(content: bytes) -> Iterator[bytes]:
    """Names of the outermost boxes of ISO/IEC 14496-12, as long as they are whole."""
    at = 0
    while at + 8 <= len(content):
        size, name, head = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16]), 16
        elif size == 0:  # to the end of the file
            size = len(content) - at
        if size < head or at + size > len(content):
            return
        yield name
        at += size
