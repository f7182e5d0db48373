"""Pictures of cameras: what they really are, and made unrecognisable. Pure."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageFilter, UnidentifiedImageError

from city.errors import InvalidInput

# A camera of 12 megapixels sends 2 to 4 MB.
MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 50_000_000
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# Of the shorter side of what is blurred: a face or a number plate is gone, a lorry is not.
BLUR_SHARE = 0.08
WHOLE_BLUR_SHARE = 0.02
REGIONS_MAX = 64

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """`media_type` is what the content is, whatever anybody called it."""

    media_type: str
    width: int
    height: int


def inspect_picture(content: bytes) -> Picture:
    """Check that bytes are an undamaged JPEG, PNG or WebP of a size that can be shown."""
    if not content:
        raise InvalidInput("snapshot", 0, "is empty")
    if len(content) > MAX_BYTES:
        raise InvalidInput("snapshot", len(content), f"is larger than {MAX_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=list(TYPES)) as image:
                size, format_ = image.size, image.format or ""
                if size[0] * size[1] > MAX_PIXELS:
                    raise InvalidInput("snapshot", size, "has too many pixels")
                image.draft("RGB", (64, 64))  # a JPEG is decoded small, but to its end
                image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        problem = "must be an undamaged JPEG, PNG or WebP image"
        raise InvalidInput("snapshot", content[:12].hex(), problem) from error
    return Picture(TYPES[format_], *size)


def blur(content: bytes, regions: Sequence[Box] | None) -> bytes:
    """A JPEG with these parts of the picture (x, y, w, h, shares of it) unrecognisable; the whole
    of it for None."""
    with Image.open(io.BytesIO(content), formats=list(TYPES)) as opened:
        image = opened.convert("RGB")
    if regions is None:
        image = _blurred(image, WHOLE_BLUR_SHARE)
    else:
        for left, top, right, bottom in _pixels(regions, image.size):
            part = image.crop((left, top, right, bottom))
            image.paste(_blurred(part, BLUR_SHARE), (left, top))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _blurred(image: Image.Image, share: float) -> Image.Image:
    """Made small first: what a blur alone leaves can be computed back."""
    few = (max(1, image.width // 12), max(1, image.height // 12))
    small = image.resize(few).resize(image.size)
    return small.filter(ImageFilter.GaussianBlur(max(2.0, share * min(image.size))))


def _pixels(regions: Iterable[Box], size: tuple[int, int]) -> Iterable[tuple[int, int, int, int]]:
    width, height = size
    for x, y, w, h in regions:
        left, top = max(0, int(x * width)), max(0, int(y * height))
        right, bottom = min(width, round((x + w) * width)), min(height, round((y + h) * height))
        if right > left and bottom > top:
            yield left, top, right, bottom


def regions_of(attributes: Mapping[str, object]) -> list[Box] | None:
    """The parts that a camera says nobody else should see: `regions` of its event, boxes as shares
    of the picture. None where it says nothing: then all of it is meant."""
    said = attributes.get("regions")
    if not isinstance(said, list) or not said:
        return None
    boxes = []
    for one in said[:REGIONS_MAX]:
        if (
            not isinstance(one, list)
            or len(one) != 4
            or not all(isinstance(n, int | float) and 0 <= n <= 1 for n in one)
        ):
            return None
        boxes.append((float(one[0]), float(one[1]), float(one[2]), float(one[3])))
    return boxes
