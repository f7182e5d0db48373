"""Files that people hand in as evidence: what they are, when and where they were taken. Pure."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from city.errors import InvalidInput
from city.place import LonLat

MAX_BYTES = 10 * 1024 * 1024
# Larger pictures are refused before they are decoded (40 megapixels is a large phone camera).
MAX_PIXELS = 50_000_000
PDF = "application/pdf"
IMAGES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True)
class FileFacts:
    media_type: str
    taken_at: datetime | None = None
    taken_from: LonLat | None = None


def inspect_file(content: bytes, media_type: str, zone: tzinfo) -> FileFacts:
    """Check that the content is what it says it is and read its EXIF time and place."""
    if not content:
        raise InvalidInput("file", 0, "is empty")
    if len(content) > MAX_BYTES:
        raise InvalidInput("file", len(content), f"is larger than {MAX_BYTES} bytes")
    if content.startswith(b"%PDF-"):
        _same_type(PDF, media_type)
        return FileFacts(PDF)
    return _inspect_image(content, media_type, zone)


def _inspect_image(content: bytes, media_type: str, zone: tzinfo) -> FileFacts:
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
                return FileFacts(found, _taken_at(exif, zone), _taken_from(exif))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        problem = "must be an undamaged JPEG, PNG or WebP image or a PDF"
        raise InvalidInput("file", media_type, problem) from error


def _verified_type(content: bytes) -> str:
    with Image.open(io.BytesIO(content), formats=list(IMAGES)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise InvalidInput("file", image.size, "has too many pixels")
        image.verify()
        return IMAGES[image.format or ""]


def _same_type(found: str, said: str) -> None:
    if said and said != found:
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
