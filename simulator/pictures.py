"""Pictures that the made-up cameras send: a drawn street, with the thing that was seen or without.

A drawing says that it is one: nobody takes the demonstration for a real street.
"""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 480, 270
QUALITY = 60
Box = tuple[float, float, float, float]
Pen = ImageDraw.ImageDraw
Draw = Callable[[Pen, tuple[int, int, int, int], random.Random], None]

WALLS = ("#b9a48c", "#9fa8a3", "#c4b7a6", "#8f9aa6", "#a88f80", "#bcb59b")
BRIGHT = ("#c0392b", "#2f6db3", "#d9a521", "#3f8f5a", "#e8e4da", "#7a4b8c")


def draw_street(camera: str, seen: str, box: Box, *, night: bool, there: bool) -> bytes:
    """A JPEG of the street before a camera, the same each time; `seen` stands in `box` (x, y, w, h,
    shares of the picture) if it is there."""
    dice = random.Random(zlib.crc32(camera.encode()))
    image = Image.new("RGB", (WIDTH, HEIGHT), "#10151d" if night else "#a9c3d6")
    pen = ImageDraw.Draw(image)
    _houses(pen, dice, night)
    _ground(pen, dice)
    if there:
        x, y, w, h = box
        place = (
            int(x * WIDTH), int(y * HEIGHT), int((x + w) * WIDTH), int((y + h) * HEIGHT),
        )  # fmt: skip
        THINGS.get(seen, _person)(pen, place, random.Random(zlib.crc32(f"{camera}{box}".encode())))
    if night:
        image = Image.blend(image, Image.new("RGB", image.size, "#060a14"), 0.45)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, HEIGHT - 15, WIDTH, HEIGHT), fill="#000000")
    pen.text((6, HEIGHT - 13), f"{camera}  SIMULATED", fill="#d8dee6")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _houses(pen: Pen, dice: random.Random, night: bool) -> None:
    left = -20
    while left < WIDTH:
        width, height = dice.randint(60, 120), dice.randint(70, 130)
        pen.rectangle((left, 150 - height, left + width, 150), fill=dice.choice(WALLS))
        for row in range(150 - height + 10, 120, 22):
            for column in range(left + 8, left + width - 14, 24):
                lit = night and dice.random() < 0.4
                pen.rectangle(
                    (column, row, column + 12, row + 13), fill="#f6d98a" if lit else "#4d5a66"
                )
        pen.rectangle((left, 122, left + width, 132), fill=dice.choice(BRIGHT))  # the shop's sign
        pen.rectangle((left + 6, 134, left + width - 6, 150), fill="#3a4048")
        left += width + dice.randint(0, 6)


def _ground(pen: Pen, dice: random.Random) -> None:
    pen.rectangle((0, 150, WIDTH, 182), fill="#9a958c")
    for line in range(0, WIDTH, 24):
        pen.line((line, 150, line - 12, 182), fill="#86817a")
    pen.rectangle((0, 182, WIDTH, 187), fill="#c9c4b8")
    pen.rectangle((0, 187, WIDTH, HEIGHT), fill="#4e5257")
    for dash in range(dice.randint(-40, 0), WIDTH, 70):
        pen.rectangle((dash, 226, dash + 36, 230), fill="#d7d4c6")
    for tree in range(dice.randint(20, 80), WIDTH, dice.randint(110, 170)):
        pen.rectangle((tree, 116, tree + 6, 176), fill="#5b4632")
        pen.ellipse((tree - 24, 78, tree + 30, 128), fill="#3f6b3c")


def _person(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    middle, wide, high = (x0 + x1) // 2, max(6, (x1 - x0) // 5), y1 - y0
    pen.ellipse((middle - wide // 2, y0, middle + wide // 2, y0 + high // 5), fill="#d8a883")
    pen.rectangle(
        (middle - wide, y0 + high // 5, middle + wide, y0 + high * 3 // 5), fill=dice.choice(BRIGHT)
    )
    pen.rectangle((middle - wide + 2, y0 + high * 3 // 5, middle - 2, y1), fill="#2b3038")
    pen.rectangle((middle + 2, y0 + high * 3 // 5, middle + wide - 2, y1), fill="#2b3038")


def _stall(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    roof = y0 + (y1 - y0) // 3
    pen.polygon(
        ((x0, roof), ((x0 + x1) // 2, y0), (x1, roof)), fill=dice.choice(BRIGHT), outline="#222222"
    )
    pen.line((x0 + 4, roof, x0 + 4, y1), fill="#444444", width=3)
    pen.line((x1 - 4, roof, x1 - 4, y1), fill="#444444", width=3)
    table = y0 + (y1 - y0) * 3 // 5
    pen.rectangle((x0 + 4, table, x1 - 4, y1 - 4), fill="#8a5a33")
    for fruit in range(x0 + 8, x1 - 12, 10):
        pen.ellipse((fruit, table - 8, fruit + 9, table + 1), fill=dice.choice(BRIGHT))
    _person(pen, (x1 - 6, roof, x1 + (x1 - x0) // 3, y1), dice)


def _vehicle(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    colour, high = dice.choice(BRIGHT), y1 - y0
    pen.rounded_rectangle((x0, y0 + high // 3, x1, y1 - high // 6), 6, fill=colour)
    side = (x1 - x0) // 5
    pen.polygon(
        ((x0 + side, y0 + high // 3), (x0 + 2 * side, y0), (x1 - side, y0), (x1 - side // 2,
         y0 + high // 3)), fill="#26303a",
    )  # fmt: skip
    wheel = max(4, high // 5)
    for middle in (x0 + side, x1 - side):
        pen.ellipse((middle - wheel, y1 - 2 * wheel, middle + wheel, y1), fill="#15181c")


def _bicycles(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    wheel = max(5, (y1 - y0) // 4)
    for left in range(x0, max(x0 + 1, x1 - 2 * wheel), max(8, wheel)):
        colour = dice.choice(BRIGHT)
        for middle in (left + wheel // 2, left + 2 * wheel):
            pen.ellipse(
                (middle - wheel, y1 - 2 * wheel, middle + wheel, y1), outline="#1b1f24", width=2
            )
        pen.line((left, y1 - wheel, left + wheel, y0 + wheel), fill=colour, width=3)
        pen.line((left + wheel, y0 + wheel, left + 2 * wheel, y1 - wheel), fill=colour, width=3)


def _heap(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    for _ in range(26):
        width, height = dice.randint(10, 26), dice.randint(8, 20)
        left = dice.randint(x0, max(x0, x1 - width))
        fall = abs(left + width / 2 - (x0 + x1) / 2) / max(1, (x1 - x0) / 2)
        top = max(y0, int(y1 - height - (1 - fall) * dice.random() * (y1 - y0 - height)))
        pen.ellipse(
            (left, top, left + width, top + height),
            fill=dice.choice(("#2b2b2b", "#6d6d66", "#87795a", "#4a4a52", "#a7a79c")),
        )


def _water(pen: Pen, place: tuple[int, int, int, int], dice: random.Random) -> None:
    x0, y0, x1, y1 = place
    pen.ellipse((x0, y0 + (y1 - y0) // 3, x1, y1), fill="#6f8797")
    for _ in range(7):
        left = dice.randint(x0 + 4, max(x0 + 5, x1 - 30))
        top = dice.randint(y0 + (y1 - y0) // 2, y1 - 6)
        pen.line((left, top, left + 22, top), fill="#a9bfcc", width=2)


THINGS: dict[str, Draw] = {
    "hawker": _stall,
    "vendor": _stall,
    "outstore": _stall,
    "road_occupation": _stall,
    "illegal_parking": _vehicle,
    "bicycle_misparking": _bicycles,
    "exposed_garbage": _heap,
    "overflowed_garbage": _heap,
    "garbage": _heap,
    "sundry_stack": _heap,
    "water_gather": _water,
}
